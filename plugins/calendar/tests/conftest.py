"""What the calendar's tests share: the workspace's own helpers, homes, and a CalDAV server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from aie.testing import Home

WORKSPACE = Path(__file__).parents[3]

if str(WORKSPACE) not in sys.path:
    sys.path.insert(0, str(WORKSPACE))  # for `from tests.aie_home import …` and `from plugins.calendar.tests.…`

from plugins.calendar.tests.radicale import Radicale  # noqa: E402 - after the path

hypothesis.settings.register_profile("aie", deadline=None)
hypothesis.settings.load_profile("aie")


@pytest.fixture
def at_home(tmp_path: Path) -> Iterator[Callable[..., Home]]:
    """Makes a home with these calendars and other settings of the plugin, and with what `aie connect` stored."""
    with ExitStack() as homes:

        def make(secrets: Mapping[str, str] | None = None, connection: str = "calendar", **settings: Any) -> Home:
            credentials = {connection: secrets} if secrets else {}
            home = Home(tmp_path, "calendar", settings={"calendar": settings}, credentials=credentials)
            return homes.enter_context(home)

        yield make


@pytest.fixture
def home(at_home: Callable[..., Home]) -> Home:
    """Without any settings: the calendar is the vault's folder."""
    return at_home()


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    """A real CalDAV server, of this module's tests alone."""
    server = Radicale(tmp_path_factory.mktemp("radicale"))
    server.start()
    yield server
    server.stop()
