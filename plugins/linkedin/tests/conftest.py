"""What the tests of this plugin share: a LinkedIn to post to, and a vault connected to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

WORKSPACE = Path(__file__).parents[3]

if str(WORKSPACE) not in sys.path:
    sys.path.insert(0, str(WORKSPACE))  # for `from tests.aie_home import …` and `from plugins.linkedin.tests.…`

from aie.credentials import ConnectionRecord  # noqa: E402 - after the path
from aie.testing import Home  # noqa: E402
from plugins.linkedin.tests.linkedin_server import MEMBER, TOKEN, LinkedinServer, serving  # noqa: E402

OWNER = ConnectionRecord(account="Ada Brown", details={"author": MEMBER})

hypothesis.settings.register_profile("aie", deadline=None)
hypothesis.settings.load_profile("aie")


@pytest.fixture
def linkedin() -> Iterator[LinkedinServer]:
    with serving() as server:
        yield server


@pytest.fixture
def home(linkedin: LinkedinServer, tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path, "linkedin", settings={"linkedin": linkedin.settings}) as home:
        home.credentials("linkedin").save({"access_token": TOKEN}, OWNER)
        yield home
