"""What needs several integrations at once."""

from plugins.linkedin.tests.conftest import linkedin

__all__ = ["linkedin"]
