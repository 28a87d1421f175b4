"""What the calendar's tests share: the workspace's own helpers, and a CalDAV server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

WORKSPACE = Path(__file__).parents[3]

if str(WORKSPACE) not in sys.path:
    sys.path.insert(0, str(WORKSPACE))  # for `from tests.aie_home import …` and `from plugins.calendar.tests.…`

from plugins.calendar.tests.radicale import Radicale  # noqa: E402 - after the path


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    """A real CalDAV server, of this module's tests alone."""
    server = Radicale(tmp_path_factory.mktemp("radicale"))
    server.start()
    yield server
    server.stop()
