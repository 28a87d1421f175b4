"""The wheels of all packages, in the combinations people install: core alone, with one plugin, with all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.test_wheels import WORKSPACE, environment, run, third_party

__all__ = ["third_party"]  # the fixture
FOLDERS = {"core": WORKSPACE / "core", **{folder.name: folder for folder in sorted((WORKSPACE / "plugins").iterdir())}}
PLUGINS = [name for name in FOLDERS if name != "core" and (FOLDERS[name] / "pyproject.toml").is_file()]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    built = {}
    for name in ("core", *PLUGINS):
        into = tmp_path_factory.mktemp(name)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", into, FOLDERS[name])
        (built[name],) = into.glob("*.whl")
    return built


@pytest.mark.parametrize("plugins", [[], *([name] for name in PLUGINS), PLUGINS], ids="+".join)
def test_each_combination_lists_its_plugins_runs_a_workflow_and_lacks_no_dependency(
    plugins: list[str], wheels: dict[str, Path], third_party: Path, tmp_path: Path
) -> None:
    python = environment(tmp_path / "env", third_party, *(wheels[name] for name in ("core", *plugins)))
    aie, vault = python.parent / "aie", tmp_path / "vault"
    run(aie, "init", vault)
    settings = vault / "aie.toml"
    settings.write_text(f"state_dir = {str(tmp_path / 'state')!r}\n{settings.read_text()}")
    listed = [json.loads(line) for line in run(aie, "plugins", "list", "--vault", vault, "--json").splitlines()]
    assert [(each["name"], each["state"], each["reason"]) for each in listed] == [
        (name, "ok", "") for name in ("core", *plugins)
    ]
    for name in plugins:
        assert json.loads(run(aie, "plugins", "show", name, "--vault", vault, "--json"))["adds"]["actions"]
    (vault / "workflows" / "smoke.json").write_text(json.dumps(smoke("vault" in plugins)))
    (tmp_path / "event.json").write_text('{"event_type": "smoke", "data": {"text": "hello"}}')
    ran = json.loads(
        run(aie, "run", "smoke", "--vault", vault, "--event", tmp_path / "event.json", "--json").splitlines()[-1]
    )
    assert ran["runs"][0]["status"] == "succeeded"
    assert run(python, "-m", "pip", "check") == "No broken requirements found.\n"


def smoke(with_vault: bool) -> dict[str, object]:
    """A workflow that needs no more than there is."""
    text = "{{ event.data.text }}"
    steps = [{"action_type": "emit_event", "parameters": {"event_type": "smoked", "data": {"said": text}}}]
    if with_vault:
        steps.append({"action_type": "create_file", "parameters": {"path": "smoke.md", "content": text}})
    return {"workflow_id": "smoke", "name": "Smoke", "trigger_event": "smoke", "actions": steps}
