"""What the tests of this plugin share: a server of each version that was captured, with the plugin connected to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))  # for `from fake_odoo.shop import …`

from fake_odoo.shop import Shop


@pytest.fixture(params=[17, 19])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(request.param, tmp_path)
    yield made
    made.server.stop()
