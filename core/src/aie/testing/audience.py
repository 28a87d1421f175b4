"""The audience: a plugin's audit sinks and approval channels, while the engine asks a person and is answered."""

from __future__ import annotations

import re
from typing import Any

from aie.testing.bench import Bench
from aie.testing.evidence import contents, overheard, refuse_secrets
from aie.testing.findings import Findings, ViolationError
from aie.testing.offered import Offered

_ASKING: dict[str, Any] = {
    "workflow_id": "contract",
    "trigger_event": "manual_trigger",
    "actions": [{"action_type": "core.request_approval", "parameters": {"title": "Shall it be?"}}],
}


def try_audience(bench: Bench, offered: Offered, findings: Findings) -> None:
    """One request, approved, with all of them at work. The engine goes on without one that fails, and says so."""
    audience = [
        (word, item.name)
        for word, hook in (("audit sink", "aie_audit_sinks"), ("approval channel", "aie_approval_channels"))
        for item in offered.items[hook]
    ]
    if not audience:
        return
    with bench.home() as home, overheard() as lines:
        home.approve(home.run_workflow(_ASKING))
        home.close()  # what is on record has been handed to every sink by then
        files = [content.decode(errors="replace") for content in contents(home.vault).values()]
        secrets = bench.secrets(home)
    for word, name in audience:
        with findings.check("at work", f"{word} {name}"):
            _refuse_failure(name, lines)
            refuse_secrets(secrets, {"the log": lines, "a file of the vault": files})


def _refuse_failure(name: str, lines: list[str]) -> None:
    said = re.compile(rf"the (?:sink|approval channel) (?:\w+\.)?{re.escape(name)} failed[^:]*: (.*)", re.DOTALL)
    for line in lines:
        if found := said.search(line):
            raise ViolationError(f"it fails while a request is made and approved: {found[1]}", "see what it raises")
