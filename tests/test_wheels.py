"""The packages as people install them: built as wheels, put into an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

WORKSPACE = Path(__file__).parent.parent
SHIPPED = [
    "email_to_calendar.json",
    "expense_approval.json",
    "invoice_to_email.json",
    "morning_automation.json",
    "scheduled_linkedin_post.json",
]
LIST_PLUGINS = """
import json, sys
from importlib import resources
from pathlib import Path
import aie, aie.builtin
from aie.config import Config
from aie.plugins import Registry
registry = Registry.load(Config.load(Path(sys.argv[1]), {}))
shipped = sorted(path.name for path in (resources.files("aie") / "workflows").iterdir())
print(json.dumps({"plugins": [[i.name, i.package, i.state, i.reason] for i in registry.plugins], "shipped": shipped}))
"""


def run(*command: str | Path, folder: Path | None = None) -> str:
    """What it prints; it must succeed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AIE_"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    built = {}
    for name, folder in {"aie-core": "core", "aie-vault": "plugins/vault"}.items():
        into = tmp_path_factory.mktemp(name)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", into, WORKSPACE / folder)
        (built[name],) = into.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def third_party(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything installed here except aie's own packages, as links: what an index would give, without one."""
    folder = tmp_path_factory.mktemp("third_party")
    for item in Path(sysconfig.get_path("purelib")).iterdir():
        if not item.name.startswith(("aie", "_aie")) and item.suffix != ".pth":
            (folder / item.name).symlink_to(item)
    return folder


def environment(place: Path, third_party: Path, *packages: Path) -> Path:
    """The Python of a new environment with these wheels and what they depend on."""
    venv.create(place, symlinks=os.name != "nt")
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "third_party.pth").write_text(f"{third_party}\n", encoding="utf-8")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", *packages)
    return python


def test_the_core_wheel_has_the_shipped_workflows_and_what_the_code_reads(wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels["aie-core"]) as wheel:
        names = set(wheel.namelist())
    assert sorted(name for name in names if name.startswith("aie/workflows/")) == [
        f"aie/workflows/{name}" for name in SHIPPED
    ]
    assert {"aie/py.typed", "aie/catalogue.json"} <= names
    source = WORKSPACE / "core" / "src" / "aie" / "scaffold"
    made_of = {f"aie/scaffold/{path.relative_to(source).as_posix()}" for path in source.rglob("*.in")}
    assert made_of == {name for name in names if name.startswith("aie/scaffold/")}
    assert len(made_of) == 20  # of both forms of aie plugins new


def test_core_works_alone(wheels: dict[str, Path], third_party: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", third_party, wheels["aie-core"])
    assert json.loads(run(python, "-c", LIST_PLUGINS, tmp_path)) == {
        "plugins": [["core", "aie-core", "ok", ""]],
        "shipped": SHIPPED,
    }


def test_a_plugin_works_as_soon_as_it_is_installed(wheels: dict[str, Path], third_party: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", third_party, wheels["aie-core"], wheels["aie-vault"])
    assert json.loads(run(python, "-c", LIST_PLUGINS, tmp_path)) == {
        "plugins": [["core", "aie-core", "ok", ""], ["vault", "aie-vault", "ok", ""]],
        "shipped": SHIPPED,
    }


def test_the_workspace_s_own_installation_finds_the_shipped_workflows_too(tmp_path: Path) -> None:
    assert json.loads(run(sys.executable, "-c", LIST_PLUGINS, tmp_path))["shipped"] == SHIPPED
