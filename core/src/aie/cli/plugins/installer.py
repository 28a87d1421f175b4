"""Who installs packages into the environment aie runs in, and the commands for that."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aie.errors import AieError

LAST_LINES = 8  # of what a command that failed has said


class InstallError(AieError):
    """Nothing was installed, or taken away."""


@dataclass(frozen=True, slots=True)
class Installer:
    """pip, uv or pipx, for one environment. ``note`` is what a person should know about it."""

    name: str
    adding: tuple[str, ...]
    taking: tuple[str, ...]
    upgrading: tuple[str, ...] = ("--upgrade",)
    note: str = ""

    def install(self, what: str, *, upgrade: bool) -> list[str]:
        """The command that installs it."""
        return [*self.adding, *(self.upgrading if upgrade else ()), what]

    def remove(self, package: str) -> list[str]:
        """The command that takes it away."""
        return [*self.taking, package]


def find_installer(prefix: Path, env: Mapping[str, str]) -> Installer:
    """Who manages the environment at ``prefix``. Raises InstallError if nobody does, or the system says not to."""
    python = sys.executable
    marker = prefix / "pipx_metadata.json"
    if marker.is_file() and (pipx := _program("pipx", env)):
        home = json.loads(marker.read_text(encoding="utf-8"))["main_package"]["package"]
        return Installer("pipx", (pipx, "inject", home), (pipx, "uninject", home), ("--force",))
    uv = _program("uv", env)
    pip = importlib.util.find_spec("pip") is not None
    if uv and (_made_by_uv(prefix) or not pip):
        to = ("--python", python)
        return Installer("uv", (uv, "pip", "install", *to), (uv, "pip", "uninstall", *to), note=_uv_note(prefix))
    if not pip:
        hint = f"put pip there: {python} -m ensurepip; or install uv"
        raise InstallError("there is neither pip nor uv to install with", where=str(prefix), hint=hint)
    if prefix == Path(sys.base_prefix) and (Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").is_file():
        raise InstallError(
            "this Python belongs to the system, which does not want packages installed into it",
            where=str(prefix),
            hint="install aie into an environment of its own: python3 -m venv ENV, then ENV/bin/pip install aie-core",
        )
    return Installer("pip", (python, "-m", "pip", "install"), (python, "-m", "pip", "uninstall", "--yes"))


def _program(name: str, env: Mapping[str, str]) -> str:
    """Where a program is, beside this Python if not on the path; '' if it is not there."""
    places = os.pathsep.join([env.get("PATH", ""), str(Path(sys.executable).parent)])
    return shutil.which(name, path=places) or ""


def _made_by_uv(prefix: Path) -> bool:
    """uv writes its version into the file that every virtual environment has."""
    try:
        lines = (prefix / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(line.partition("=")[0].strip() == "uv" for line in lines)


def _uv_note(prefix: Path) -> str:
    if (prefix / "uv-receipt.toml").is_file():
        return "uv tool made this environment; after uv tool upgrade, look whether the plugin is still there"
    if (prefix.parent / "uv.lock").is_file():
        return f"uv sync in {prefix.parent} takes out again what was not added there with uv add"
    return ""


def run(command: Sequence[str], doing: str) -> None:
    """Run it to its end. Raises InstallError with the last it said, unless it went well."""
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "NO_COLOR": "1"}
    try:
        done = subprocess.run(  # noqa: S603 - the command that was shown to the person
            command,
            env={**os.environ, **quiet},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise InstallError(
            f"{doing} failed: {error}", where=shown(command), hint="run it yourself to see more"
        ) from None
    if done.returncode != 0:
        last = [line.rstrip() for line in done.stdout.splitlines() if line.strip()][-LAST_LINES:]
        said = "\n".join(f"    {line}" for line in last) or "    (nothing)"
        raise InstallError(
            f"{doing} failed with exit code {done.returncode}; the last it said:\n{said}",
            where=shown(command),
            hint=_hint(done.stdout),
        )


def _hint(said: str) -> str:
    lower = said.lower()
    if any(text in lower for text in ("no matching distribution", "not found in the package registry", "no solution")):
        return "check the name and the version; what is not on the package index is installed from its folder or wheel"
    if "permission denied" in lower or "read-only file system" in lower:
        return f"run it as the user who may write into {sys.prefix}"
    return "mend that and run it again; nothing else was changed"


def shown(command: Sequence[str]) -> str:
    """The command as a person would type it."""
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)
