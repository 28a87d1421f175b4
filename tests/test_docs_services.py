"""The files that keep aie running as a service: whole, and what they start is a command that works and stops well."""

from __future__ import annotations

import configparser
import plistlib
import shlex
import signal
from pathlib import Path, PureWindowsPath
from xml.etree import ElementTree

import pytest

from tests.aie_home import AieHome
from tests.pages import ROOT, blocks

FILES = {Path(block.saved_as).name: block.text for block in blocks(ROOT / "docs" / "always-on.md") if block.saved_as}
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def systemd() -> list[str]:
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(FILES["aie.service"])
    assert {name: dict(unit[name]) for name in unit.sections()} == {
        "Unit": {"Description": "aie, workflows of the vault shop", "After": "network-online.target"},
        "Service": {
            "Type": "exec",
            "ExecStart": "%h/aie/bin/aie start --vault %h/shop",
            "Restart": "on-failure",
            "RestartSec": "30",
            "TimeoutStopSec": "30",
            "NoNewPrivileges": "yes",
        },
        "Install": {"WantedBy": "default.target"},
    }
    return shlex.split(unit["Service"]["ExecStart"])


def launchd() -> list[str]:
    agent = plistlib.loads(FILES["aie.plist"].encode())
    assert (agent["Label"], agent["RunAtLoad"], agent["KeepAlive"]) == ("aie", True, {"SuccessfulExit": False})
    command: list[str] = agent["ProgramArguments"]
    assert all(Path(path).is_absolute() for path in (command[0], command[-1], agent["StandardOutPath"]))
    return command


def task_scheduler() -> list[str]:
    task = ElementTree.fromstring(FILES["aie.xml"])
    assert task.tag == f"{TASK}Task"
    assert task.findtext(f"{TASK}Settings/{TASK}ExecutionTimeLimit") == "PT0S"
    program, arguments = (task.findtext(f"{TASK}Actions/{TASK}Exec/{TASK}{name}") for name in ("Command", "Arguments"))
    assert program is not None
    assert arguments is not None
    return [PureWindowsPath(program).with_suffix("").as_posix(), *shlex.split(arguments, posix=False)]


def test_every_file_of_the_page_is_looked_at() -> None:
    assert set(FILES) == {"aie.service", "aie.plist", "aie.xml"}


@pytest.mark.parametrize("service", [systemd, launchd, task_scheduler])
def test_what_a_service_starts_works_and_ends_with_0_when_it_is_stopped(service, tmp_path: Path) -> None:
    program, start, *options = service()
    assert (Path(program).name, start) == ("aie", "start")
    home = AieHome(tmp_path).with_vault()
    with home.started(*options[:-1], str(home.vault)) as aie:
        assert aie.stop(signal.SIGTERM)[0] == 0
