"""Seventeen broken plugins installed at once: each is listed with its reason, and a run beside them succeeds."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from tests.command_line import CommandLine, new_vault
from tests.plugin_dists import GOOD, write_dist

INSTALLED = version("aie-core")
HEAD = "from aie import ActionHandler, hookimpl\nfrom pydantic import BaseModel\n"
ACTIONS = f"{HEAD}@hookimpl\ndef aie_action_handlers(settings):\n    "
SETTINGS = f"{HEAD}class Shop(BaseModel):\n    limit: int\n@hookimpl\ndef aie_settings():\n    return Shop\n"

# package: (source, reason)
KINDS = {
    "aie-raises": ("raise ValueError('no config')", "importing it raised ValueError: no config"),
    "aie-syntax": ("def (", "importing it found a syntax error in aie_syntax.py, line 1: invalid syntax"),
    "aie-lacks": ("import not_there", "importing it needs the module 'not_there', which is not installed"),
    "aie-exits": ("raise SystemExit(3)", "importing it tried to end the program with 3"),
    "aie-signature": (
        f"{HEAD}@hookimpl\ndef aie_action_handlers(config):\n    return []",
        "aie_action_handlers takes the argument 'config', and is given 'settings'",
    ),
    "aie-hook": (f"{ACTIONS}return 1 / 0", "aie_action_handlers raised ZeroDivisionError: division by zero"),
    "aie-answer": (f"{ACTIONS}return 'greet'", "aie_action_handlers returned a str"),
    "aie-naming": (
        f"{ACTIONS}return [ActionHandler('Greet!', BaseModel, print)]",
        "aie_action_handlers returned ActionHandler 'Greet!', which has a name that cannot be used",
    ),
    "aie-settings": (
        SETTINGS,
        "[plugins.settings] limit is not right: input should be a valid integer, unable to parse string as an integer, "
        "found 'many'",
    ),
    "aie-later": (
        f"{GOOD}\nAIE_API_VERSION = 2",
        "it is built for version 2 of the plugin API, and this aie has version 1",
    ),
}
AT_ALL = {
    **{package.removeprefix("aie-"): ("broken", reason) for package, (_, reason) in KINDS.items()},
    "needs": ("broken", f"aie-needs 1.0 needs aie-core >=9, and {INSTALLED} is installed"),
    "nothing": ("broken", "importing it needs the module 'aie_nothing_at_all', which is not installed"),
    "attribute": ("broken", "importing it raised AttributeError: module 'aie_attribute' has no attribute 'plugin'"),
    "twice": ("broken", "2 packages offer a plugin named 'twice': aie-twice 1.0 and better-twice 1.0"),
    "Not-A-Name": ("broken", "'Not-A-Name' cannot be the name of a plugin"),
    "mine": ("broken", "there is no file 'VAULT/mine.py'"),
    "refused": (
        "off",
        "aie.toml does not allow it: neither 'refused' nor 'aie-refused', by Mallory, is on its list",
    ),
}


@pytest.fixture
def aie(tmp_path: Path) -> CommandLine:
    home = new_vault(tmp_path)
    for package, (source, _) in KINDS.items():
        write_dist(home.site, package, source, metadata="Author: Example Ltd\n")
    by_example = {"metadata": "Author: Example Ltd\n"}
    write_dist(home.site, "aie-needs", GOOD, metadata="Author: Example Ltd\nRequires-Dist: aie-core>=9\n")
    write_dist(home.site, "aie-nothing", GOOD, entry_point="aie_nothing_at_all", **by_example)
    write_dist(home.site, "aie-attribute", GOOD, entry_point="aie_attribute:plugin", **by_example)
    write_dist(home.site, "aie-twice", GOOD, **by_example)
    write_dist(home.site, "better-twice", GOOD, plugin="twice", **by_example)
    write_dist(home.site, "aie-named", GOOD, plugin="Not-A-Name", **by_example)
    write_dist(home.site, "aie-refused", "raise SystemExit('imported')", metadata="Author: Mallory\n")
    write_dist(home.site, "aie-healthy", GOOD.replace("run=greet", "run=greet, asks=False"), **by_example)
    (home.vault / "aie.toml").write_text(
        '[plugins]\nallow = ["vault"]\nallow_publishers = ["Example Ltd"]\nfiles = { mine = "mine.py" }\n'
        '[plugins.settings]\nlimit = "many"\n'
    )
    return home


def test_each_is_listed_with_its_reason_and_a_next_step_and_the_healthy_ones_are_ok(aie: CommandLine) -> None:
    ran = aie("plugins", "list", "--json")
    assert (ran.code, ran.err) == (0, "")
    vault = str(aie.vault)
    told = {each["name"]: (each["state"], each["reason"].replace(vault, "VAULT")) for each in ran.records}
    assert told == {**AT_ALL, "core": ("ok", ""), "vault": ("ok", ""), "healthy": ("ok", "")}
    assert [each["name"] for each in ran.records if each["state"] != "ok" and not each["hint"]] == []


def test_a_run_with_the_healthy_one_succeeds_beside_them(aie: CommandLine) -> None:
    aie.workflow(
        "welcome",
        name="Welcome",
        trigger_event="file_added",
        actions=[
            {"action_type": "healthy.greet", "parameters": {"text": "hello"}},
            {"action_type": "create_file", "parameters": {"path": "said.md", "content": "{{ results.action_0.said }}"}},
        ],
    )
    event = aie.vault.parent / "event.json"
    event.write_text('{"event_type": "file_added", "data": {"path": "Inbox/a.md"}}')
    ran = aie("run", "welcome", "--event", str(event))
    assert (ran.code, ran.err) == (0, "")
    assert (aie.vault / "said.md").read_text() == "hello"


def test_a_workflow_that_needs_a_broken_one_says_so_and_nothing_else_does(aie: CommandLine) -> None:
    for name in ("healthy", "hook"):
        aie.workflow(name, name=name, trigger_event="file_added", actions=[{"action_type": f"{name}.greet"}])
    ran = aie("workflows", "check", "--json")
    problems = [problem for record in ran.records for problem in record["findings"]]
    assert [problem["message"] for problem in problems if problem["severity"] == "error"] == [
        "hook.greet comes from the plugin 'hook', which is broken: "
        "aie_action_handlers raised ZeroDivisionError: division by zero"
    ]


def test_aie_start_warns_of_each_and_works(aie: CommandLine) -> None:
    process = aie.start()
    process.terminate()
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
