"""What all tests share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import hypothesis
import pytest

from aie.config import Config

WORKSPACE = Path(__file__).parent.parent

if str(WORKSPACE) not in sys.path:
    sys.path.insert(0, str(WORKSPACE))  # for `from tests.plugin_dists import …`


# No example has to be fast: machines are shared, and a time limit would fail tests that are right.
hypothesis.settings.register_profile("aie", deadline=None)
hypothesis.settings.load_profile("aie")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on ``sys.path`` to install packages into; modules from there or the vault are forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The settings of a vault that has none."""
    return Config(vault=tmp_path, timezone=ZoneInfo("UTC"), state_dir=tmp_path / "state", workflow_folders=())


def pytest_configure() -> None:
    """Being stopped is tested, and a shell in the background, or nohup, has all that the tests start ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)  # still ignored here, not by what is started


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where CI=true a skipped test is a failed session: nobody looks at a skip there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = len(terminalreporter.stats.get("skipped", []))
    if os.environ.get("CI") == "true" and skipped:
        terminalreporter.write_sep("=", f"{skipped} skipped, and CI=true: that counts as failed", red=True)
