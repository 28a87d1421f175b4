"""What the tests share: an Parcels, and a vault connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aie.testing import Home

from fake_parcels import TOKEN, FakeServer, serving


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    with serving() as server:
        yield server


@pytest.fixture
def home(fake: FakeServer, tmp_path: Path) -> Iterator[Home]:
    settings, credentials = {"parcels": fake.settings}, {"parcels": {"token": TOKEN}}
    with Home(tmp_path, "parcels", settings=settings, credentials=credentials) as home:
        yield home
