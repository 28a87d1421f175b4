"""What every history of the harness has to do: the workflows, what starts them, and how people decide."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zlib import crc32

from tests.crash.world import World

RUNS_PER_ORDER = 3  # at once; those lead to others
QUICKLY = {"initial_s": 0.01, "factor": 2, "jitter": 0.25}
TOML = """
timezone = "Europe/Berlin"
state_dir = "../state"
max_runs = 16
starts_per_minute = 0

[schedules.hourly]
cron = "0 * * * *"

[plugins.vault]
watch = []
native_watching = false
"""


def workflows(version: int) -> list[dict[str, Any]]:
    """All of them, as a person has them in the files of this version."""

    def step(action_type: str, name: str, *, of: str = "label", **fields: Any) -> dict[str, Any]:
        own = {"token", "fails", "loses", "slow_s"}
        parameters = {"label": f"{{{{ event.data.{of} }}}}/{name}", "version": version, "when": "{{ now }}"}
        parameters |= {key: value for key, value in fields.items() if key in own}
        rest = {key: value for key, value in fields.items() if key not in own}
        return {"action_type": action_type, "id": name, "parameters": parameters, "retry": QUICKLY, **rest}

    def flow(workflow_id: str, trigger: str, *actions: dict[str, Any]) -> dict[str, Any]:
        return {"workflow_id": workflow_id, "trigger_event": trigger, "version": version, "actions": list(actions)}

    token = "{{ results.roll.token }}"
    chain = flow(
        "chain",
        "order",
        step("roll", "roll"),
        step("stamp", "stamp", token=token),
        step("pay", "pay", token=token, slow_s=0.002),
        {"action_type": "wait", "id": "pause", "parameters": {"duration": 0.03}},
        step("book", "book", token=token),
        {"action_type": "emit_event", "id": "emit",
         "parameters": {"event_type": "child", "data": {"label": "{{ event.data.label }}/child"}}},
        {"action_type": "run_workflow", "id": "start",
         "parameters": {"workflow_id": "leaf", "data": {"label": "{{ event.data.label }}/leaf"}}},
        {"action_type": "create_file", "id": "file",
         "parameters": {"path": "Out/{{ event.data.label }}.md", "content": token}},
        {"action_type": "send_notification", "id": "tell",
         "parameters": {"title": "{{ event.data.label }}", "message": "done"}},
    )  # fmt: skip
    asking = flow(
        "asking",
        "order",
        step("mail", "mail"),
        step("letter", "letter"),
        step("jot", "told", token="{{ results.mail.key }}"),
        step("jot", "beside"),
        {"action_type": "request_approval", "id": "ok", "parameters": {"title": "{{ event.data.label }}/ok"},
         "on_failure": "no"},
        step("pay", "yes", on_success="action_7"),
        step("stamp", "no"),
    )  # fmt: skip
    failing = flow(
        "failing",
        "order",
        step("flaky", "flaky", fails=2, retry_count=3),
        step("flaky", "never", fails=99, retry_count=2, on_failure="rescue"),
        step("jot", "skipped"),
        step("pay", "rescue", condition="results.never.status == 'failed'"),
        step("refuse", "refuse", fails=1),
        step("pay", "sent", loses="after"),
        step("pay", "unsent", loses="before"),
        step("book", "found", loses="after"),
        step("fax", "fax"),
        step("flaky", "last", fails=99, retry_count=1),
    )
    return [
        chain,
        asking,
        failing,
        flow("child", "child", step("pay", "pay"), step("stamp", "stamp")),
        flow("leaf", "nobody_emits_this", step("book", "book")),
        flow("line", "line", step("stamp", "stamp"), step("pay", "pay", slow_s=0.002)),
        flow("decided", "approval_received", step("jot", "jot", of="title")),
        flow("hourly", "scheduled_trigger", step("stamp", "stamp", of="due_at")),
    ]


def make_vault(vault: Path, version: int = 1) -> None:
    """The vault, or the same one after a person has edited all its workflow files."""
    (vault / "workflows").mkdir(parents=True, exist_ok=True)
    (vault / "aie.toml").write_text(TOML, encoding="utf-8")
    for definition in workflows(version):
        path = vault / "workflows" / f"{definition['workflow_id']}.json"
        path.write_text(json.dumps(definition), encoding="utf-8")


def add_lines(world: World, *lines: str) -> None:
    """More for the source to read."""
    with world.lines.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


def approves(title: str) -> bool:
    """How people decide; the same in every history, so that all of them come to the same end."""
    return crc32(title.encode()) % 3 != 0


def decides_in_vault(title: str) -> bool:
    """Whether they do it by moving the note."""
    return crc32(title.encode()) % 2 == 0


def is_contested(title: str) -> bool:
    """Whether two decide at once, one this way and one the other."""
    return crc32(title.encode()) % 5 == 0


# --- what has to come of it ---------------------------------------------------------------------------------------


def expected_runs(orders: Iterable[str], lines: Iterable[str], hours: Iterable[str]) -> set[tuple[str, str]]:
    """Every run there has to be, once, as (workflow, label of its event)."""
    found = {("line", line) for line in lines} | {("hourly", hour) for hour in hours}
    for label in orders:
        found |= {("chain", label), ("asking", label), ("failing", label)}
        found |= {("child", f"{label}/child"), ("leaf", f"{label}/leaf")}
        found |= {("decided", f"{label}/{step}") for step in ("mail", "letter", "ok")}
    return found


def expected_end(workflow_id: str, label: str) -> tuple[str, dict[str, str]]:
    """How a run of this workflow ends, and each step of it that is reached."""
    match workflow_id:
        case "chain":
            names = ("roll", "stamp", "pay", "pause", "book", "emit", "start", "file", "tell")
            return "succeeded", dict.fromkeys(names, "succeeded")
        case "asking":
            asked = {name: approves(f"{label}/{name}") for name in ("mail", "letter", "ok")}
            steps = {name: "succeeded" if yes else "rejected" for name, yes in asked.items()}
            steps |= {"beside": "succeeded", "yes" if asked["ok"] else "no": "succeeded"}
            return "succeeded", steps | {"told": "succeeded" if asked["mail"] else "skipped"}
        case "failing":
            names = ("flaky", "rescue", "refuse", "sent", "unsent", "found", "fax")
            return "failed", dict.fromkeys(names, "succeeded") | {"never": "failed", "last": "failed"}
        case "child":
            return "succeeded", {"pay": "succeeded", "stamp": "succeeded"}
        case "leaf":
            return "succeeded", {"book": "succeeded"}
        case "line":
            return "succeeded", {"stamp": "succeeded", "pay": "succeeded"}
        case "decided":
            return "succeeded", {"jot": "succeeded"}
        case "hourly":
            return "succeeded", {"stamp": "succeeded"}
    raise ValueError(workflow_id)
