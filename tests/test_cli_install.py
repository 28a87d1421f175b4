"""``aie plugins install`` and ``remove``, with the real pip and the real uv in environments of their own."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from aie.cli.plugins.installer import InstallError, find_installer
from tests.command_line import CommandLine, new_vault
from tests.plugin_dists import GOOD, write_dist, write_wheel

CONNECTED = (
    GOOD
    + """

from aie.connections import Connection


async def connect(desk):
    pass


@hookimpl
def aie_connections(settings):
    return [Connection("slack", connect)]
"""
)
UV = Path(sysconfig.get_path("scripts")) / "uv"


def with_aie(environment: Path) -> Path:
    """Its Python, once it can import what this Python can: aie and what that needs."""
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "around.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return environment / "bin" / "python"


def in_environment(tmp_path: Path, python: Path, path: str = "/nowhere") -> CommandLine:
    """aie in that environment; packages come from the folder ``wheels``, and from nowhere else."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    offline = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(wheels),
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "PATH": path,
    }
    return CommandLine(new_vault(tmp_path).vault, str(python), offline)


@pytest.fixture(scope="module")
def pip_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with pip, to be copied from: making one takes seconds."""
    folder = tmp_path_factory.mktemp("pip") / "env"
    venv.create(folder, with_pip=True, symlinks=True)
    return folder


@pytest.fixture
def aie(tmp_path: Path, pip_environment: Path) -> CommandLine:
    folder = tmp_path / "env"
    shutil.copytree(pip_environment, folder, symlinks=True)
    return in_environment(tmp_path, with_aie(folder))


@pytest.fixture
def by_uv(tmp_path: Path) -> CommandLine:
    folder = tmp_path / "env"
    subprocess.run([UV, "venv", "--quiet", "--offline", "--python", sys.executable, folder], check=True)
    return in_environment(tmp_path, with_aie(folder), path=str(UV.parent))


def wheels(aie: CommandLine) -> Path:
    return aie.vault.parent / "wheels"


def test_a_plugin_is_installed_by_its_name_and_told_with_the_next_step(aie: CommandLine) -> None:
    write_wheel(wheels(aie), "aie-slack", CONNECTED, metadata="Requires-Dist: aie-core\n")
    environment = aie.vault.parent / "env"
    ran = aie("plugins", "install", "slack", "--yes")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"This installs aie-slack, a package of somebody else's, as the package index has it, into {environment}:\n"
        f"  {environment}/bin/python -m pip install aie-slack\n"
        "\n"
        "A plugin is code that runs with your rights: it can read, change and send whatever you can. aie does not "
        "fence it in, so install only what you would trust with all of that.\n"
        "\n"
        "slack (aie-slack 1.0): ok\n"
        "  Adds       greet, slack\n"
        "  Next       aie plugins show slack shows what it does and touches; aie connect slack\n"
        "\n"
        "An aie start that is running keeps what it has loaded: end it and start it again.\n"
    )
    assert [record["name"] for record in aie("plugins", "list", "--json").records] == ["core", "slack", "vault"]


def test_a_plugin_aie_knows_goes_by_its_own_package(aie: CommandLine) -> None:
    write_wheel(wheels(aie), "aie-gmail", GOOD)
    ran = aie("plugins", "install", "gmail", "--yes")
    assert ran.out.startswith("This installs aie-gmail, which aie knows, as the package index has it, into ")
    assert ran.code == 0


def test_programs_get_a_record(aie: CommandLine) -> None:
    wheel = write_wheel(wheels(aie), "aie-slack", GOOD)
    (record,) = aie("plugins", "install", str(wheel), "--yes", "--json").records
    python = aie.python
    assert (record["package"], record["command"]) == ("aie-slack", [python, "-m", "pip", "install", str(wheel)])
    assert [(plugin["name"], plugin["state"]) for plugin in record["plugins"]] == [("slack", "ok")]
    gone = aie("plugins", "remove", "slack", "--yes", "--json").records
    assert gone == [
        {
            "package": "aie-slack",
            "command": [python, "-m", "pip", "uninstall", "--yes", "aie-slack"],
            "plugins": ["slack"],
            "warnings": [],
        }
    ]


def test_nothing_is_done_where_nobody_can_be_asked(aie: CommandLine) -> None:
    write_wheel(wheels(aie), "aie-slack", GOOD)
    ran = aie("plugins", "install", "slack", "--upgrade", "--json")
    assert (ran.code, ran.records) == (
        2,
        [
            {
                "error": "nobody is here to be asked before this is run",
                "where": f"{aie.python} -m pip install --upgrade aie-slack",
                "hint": "aie plugins install slack --upgrade --yes",
            }
        ],
    )
    assert [record["name"] for record in aie("plugins", "list", "--json").records] == ["core", "vault"]


def test_a_newer_version_replaces_the_old_one_when_asked_to(aie: CommandLine) -> None:
    write_wheel(wheels(aie), "aie-slack", GOOD)
    aie("plugins", "install", "slack", "--yes")
    write_wheel(wheels(aie), "aie-slack", GOOD, version="2.0")
    (kept,) = aie("plugins", "install", "slack", "--yes", "--json").records
    (newer,) = aie("plugins", "install", "slack", "--yes", "--json", "--upgrade").records
    assert [record["plugins"][0]["version"] for record in (kept, newer)] == ["1.0", "2.0"]


def test_what_is_not_there_is_told_with_the_installer_s_own_words(aie: CommandLine) -> None:
    ran = aie("plugins", "install", "slack", "--yes")
    assert ran.code == 1
    assert ran.err.startswith("Error: installing aie-slack with pip failed with exit code 1; the last it said:\n    ")
    assert "No matching distribution found for aie-slack" in ran.err
    assert ran.err.splitlines()[-2:] == [
        f"  Where: {aie.python} -m pip install aie-slack",
        "  Next:  check the name and the version; what is not on the package index is installed from its folder or "
        "wheel",
    ]


def test_a_plugin_that_turns_out_broken_or_no_plugin_at_all_is_told(aie: CommandLine) -> None:
    write_wheel(wheels(aie), "aie-slack", "import not_there_at_all")
    write_wheel(wheels(aie), "aie-plain", "", plugin="")
    broken = aie("plugins", "install", "slack", "--yes")
    plain = aie("plugins", "install", "plain", "--yes")
    assert (broken.code, plain.code) == (1, 1)
    assert "slack (aie-slack 1.0): broken\n  Why        importing it needs the module 'not_there_at_all'" in broken.out
    assert plain.out.endswith(
        "aie-plain is installed, and there is no aie plugin in it.\n  Next: aie plugins remove aie-plain\n"
    )
    assert aie("plugins", "remove", "aie-plain", "--yes").code == 0


def test_what_the_vault_does_not_allow_is_installed_and_stays_off(aie: CommandLine) -> None:
    (aie.vault / "aie.toml").write_text('[plugins]\nallow = ["vault"]\n')
    write_wheel(wheels(aie), "aie-slack", "raise SystemExit")
    ran = aie("plugins", "install", "slack", "--yes")
    assert ran.code == 0
    assert "slack (aie-slack 1.0): off\n  Why        aie.toml does not allow it" in ran.out


@pytest.mark.parametrize(
    ("what", "error", "hint"),
    [
        (
            "https://shop.example/x.whl",
            "'https://shop.example/x.whl' is neither a name nor a path",
            "name a plugin (gmail), a package (aie-gmail, aie-gmail==0.1.0) or a path (./my-plugin)",
        ),
        (
            "x @ https://shop.example/x.whl",
            "'x @ https://shop.example/x.whl' is an address, and this installs by name or path only",
            "download it and look at it, then install it from its path",
        ),
        ("./nowhere", "there is no 'VAULT/nowhere'", "correct the path"),
        (
            "./workflows",
            "'VAULT/workflows' holds no package of Python: FileNotFoundError: [Errno 2] No such file or directory: "
            "'VAULT/workflows/pyproject.toml'",
            "name a wheel, or the folder with the plugin's pyproject.toml; a plugin that is one file goes into "
            "[plugins] files in aie.toml",
        ),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(tmp_path: Path, what: str, error: str, hint: str) -> None:
    aie = new_vault(tmp_path)
    ran = aie("plugins", "install", what, "--yes", "--json")
    (record,) = ran.records
    assert (ran.code, record["error"].replace(str(aie.vault), "VAULT"), record["hint"]) == (2, error, hint)


def test_removing_says_which_workflows_would_miss_it(aie: CommandLine) -> None:
    write_wheel(wheels(aie), "aie-slack", GOOD)
    aie("plugins", "install", "slack", "--yes")
    step = {"action_type": "greet", "parameters": {}}
    aie.workflow("hello", name="Hello", trigger_event="file_added", actions=[step])
    aie.workflow("other", name="Other", trigger_event="file_added", actions=[{"action_type": "wait", "parameters": {}}])
    environment = aie.vault.parent / "env"
    ran = aie("plugins", "remove", "slack", "--yes")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"This takes aie-slack out of {environment}, and with it 1 plugin: slack:\n"
        f"  {environment}/bin/python -m pip uninstall --yes aie-slack\n"
        "Warning: the workflow hello uses greet of it\n"
        "aie-slack is gone. Settings in aie.toml and stored credentials are as they were.\n"
        "An aie start that is running keeps what it has loaded: end it and start it again.\n"
    )
    assert [record["name"] for record in aie("plugins", "list", "--json").records] == ["core", "vault"]


def test_aie_itself_a_file_and_what_is_not_there_are_not_removed(tmp_path: Path) -> None:
    aie = new_vault(tmp_path)
    (aie.vault / "plugins").mkdir()
    (aie.vault / "plugins" / "hello.py").write_text(GOOD)
    (aie.vault / "aie.toml").write_text('[plugins]\nfiles = { hello = "plugins/hello.py" }\n')
    write_dist(aie.site, "aie-shop", GOOD, plugin="shop")
    write_dist(aie.site, "better-shop", GOOD, plugin="shop")
    told = {
        name: (ran.code, ran.records[0]["error"], ran.records[0]["hint"].replace(sys.executable, "PYTHON"))
        for name in ("core", "hello", "shop", "vaul")
        for ran in [aie("plugins", "remove", name, "--yes", "--json")]
    }
    uninstall = "PYTHON -m pip uninstall --yes aie-core"
    assert told == {
        "core": (2, "that is aie itself", f"to take all of aie away: {uninstall}"),
        "hello": (
            1,
            f"the plugin 'hello' is not of a package: it is file {aie.vault / 'plugins' / 'hello.py'}",
            "take it out of [plugins] files in aie.toml",
        ),
        "shop": (2, "2 packages offer a plugin named 'shop'", "name one of them: aie-shop, better-shop"),
        "vaul": (1, "no plugin named 'vaul' is installed", "did you mean 'vault'?"),
    }


def test_uv_installs_and_removes_where_uv_made_the_environment(by_uv: CommandLine) -> None:
    write_wheel(wheels(by_uv), "aie-slack", GOOD)
    python = by_uv.python
    (record,) = by_uv("plugins", "install", "slack", "--yes", "--json").records
    assert record["command"] == [str(UV), "pip", "install", "--python", python, "aie-slack"]
    assert [(plugin["name"], plugin["state"]) for plugin in record["plugins"]] == [("slack", "ok")]
    (gone,) = by_uv("plugins", "remove", "slack", "--yes", "--json").records
    assert gone["command"] == [str(UV), "pip", "uninstall", "--python", python, "aie-slack"]
    missing = by_uv("plugins", "install", "slac", "--yes")
    assert missing.code == 1
    assert missing.err.splitlines()[-1].startswith("  Next:  check the name and the version")


def test_what_a_project_of_uv_takes_out_again_is_said_before(by_uv: CommandLine) -> None:
    (by_uv.vault.parent / "uv.lock").touch()
    write_wheel(wheels(by_uv), "aie-slack", GOOD)
    ran = by_uv("plugins", "install", "slack", "--yes")
    project = by_uv.vault.parent
    assert f"Note: uv sync in {project} takes out again what was not added there with uv add\n" in ran.out


def test_a_person_is_asked_and_may_say_no(aie: CommandLine) -> None:
    write_wheel(wheels(aie), "aie-slack", GOOD)
    code = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    command = [sys.executable, "-c", code, aie.python, "-m", "aie", "plugins", "install", "slack"]
    ran = subprocess.run(
        command, input="n\n", cwd=aie.vault, env=aie.env, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout.split("Go on? [y/N]: ")[1].split()) == (1, ["Nothing", "was", "changed."])
    assert [record["name"] for record in aie("plugins", "list", "--json").records] == ["core", "vault"]


# --- who installs -------------------------------------------------------------------------------------------------


def program(folder: Path, name: str) -> str:
    """A program of that name, for finding only."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_pipx_injects_into_the_environment_it_made(tmp_path: Path) -> None:
    pipx = program(tmp_path / "bin", "pipx")
    (tmp_path / "pipx_metadata.json").write_text(json.dumps({"main_package": {"package": "aie-core"}}))
    installer = find_installer(tmp_path, {"PATH": str(tmp_path / "bin")})
    assert installer.name == "pipx"
    assert installer.install("aie-gmail", upgrade=False) == [pipx, "inject", "aie-core", "aie-gmail"]
    assert installer.install("aie-gmail", upgrade=True) == [pipx, "inject", "aie-core", "--force", "aie-gmail"]
    assert installer.remove("aie-gmail") == [pipx, "uninject", "aie-core", "aie-gmail"]


def test_an_environment_of_uv_tool_is_uv_s_and_says_what_an_upgrade_does(tmp_path: Path) -> None:
    uv = program(tmp_path / "bin", "uv")
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.9.0\n")
    (tmp_path / "uv-receipt.toml").touch()
    installer = find_installer(tmp_path, {"PATH": str(tmp_path / "bin")})
    assert installer.install("aie-gmail", upgrade=True) == [
        *(uv, "pip", "install", "--python", sys.executable, "--upgrade", "aie-gmail")
    ]
    assert installer.note.startswith("uv tool made this environment; after uv tool upgrade, look")


def test_without_uv_an_environment_it_made_is_pip_s_if_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "pyvenv.cfg").write_text("uv = 0.9.0\n")
    assert find_installer(tmp_path, {"PATH": "/nowhere"}).name == "pip"


def test_without_pip_and_uv_there_is_a_way_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InstallError) as caught:
        find_installer(tmp_path, {"PATH": "/nowhere"})
    assert caught.value.as_dict() == {
        "error": "there is neither pip nor uv to install with",
        "where": str(tmp_path),
        "hint": f"put pip there: {tmp_path / 'python'} -m ensurepip; or install uv",
    }


def test_a_python_of_the_system_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    with pytest.raises(InstallError) as caught:
        find_installer(Path(sys.base_prefix), {"PATH": "/nowhere"})
    assert caught.value.message == "this Python belongs to the system, which does not want packages installed into it"
    assert find_installer(tmp_path, {"PATH": "/nowhere"}).name == "pip"
