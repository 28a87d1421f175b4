"""Judging records: the audit chain, the journal itself, and what people see in the vault."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

from aie.audit import verify_lines
from tests.crash.evidence import DOUBLED, LOST, WRONG, Evidence, Verdict
from tests.crash.scenario import decides_in_vault

_STEP_STATUS = {"succeeded": "success", "failed": "failed", "skipped": "skipped"}


def chain_unbroken(evidence: Evidence, verdict: Verdict, power_was_cut: bool) -> None:
    """The chain is whole in the journal and in the files, and every number is in the files once."""
    logs = evidence.vault / "Logs"
    records = evidence.history.audit(limit=100_000_000)
    head = evidence.history.audit_head()
    for problem in verify_lines(records, head):
        verdict.add(WRONG, f"audit in the journal: {problem}")
    for problem in verify_lines([logs / "audit"], head):
        verdict.add(WRONG, f"audit in the files: {problem}")
    in_files: Counter[int] = Counter()
    for path in (logs / "audit").glob("*.jsonl"):
        with path.open(encoding="utf-8") as file:
            in_files.update(json.loads(line)["seq"] for line in file)
    for seq in in_files.keys() | set(range(1, len(records) + 1)):
        verdict.count(in_files[seq], int(seq <= len(records)), f"lines of record {seq} in the audit files")
    lines = 0
    for path in logs.glob("integrations.log*"):
        with path.open(encoding="utf-8") as file:
            lines += sum(1 for _ in file)
    rotated_away = (logs / "integrations.log.5").exists()
    # At least once each. It is for reading, and not synced: a power cut may take its newest lines.
    if lines < len(records) and not power_was_cut and not rotated_away:
        verdict.add(LOST, f"integrations.log has {lines} lines for {len(records)} records")
    verdict.seen["audit records"] = len(records)


def audit_complete(evidence: Evidence, verdict: Verdict) -> None:
    """Everything that happened has its record, once."""
    there: Counter[tuple[str, ...]] = Counter()
    totals: Counter[str] = Counter()
    for record in evidence.history.audit(limit=100_000_000):
        fields = record.fields
        action, status = str(fields["action"]), str(fields["status"])
        place = str(fields["run_id"]), str(fields["step_id"])
        there[(action, *place) if action == "workflow_execution" else (action, *place, status)] += 1
        totals[action] += 1
    for run_id, workflow_id, _, label in evidence.runs():
        name = f"audit records of {workflow_id} for {label}"
        verdict.count(there["workflow_started", run_id, "None", "started"], 1, f"{name} that say it started")
        verdict.count(there["workflow_execution", run_id, "None"], 1, f"{name} that say it ended")
    for step in evidence.steps.values():
        told = there["uncertain_resolved", *step.place, "happened"]
        if told > 1:
            verdict.add(DOUBLED, f"a person said {told} times that {step.place} happened")
        if step.status in _STEP_STATUS and not told:
            status = _STEP_STATUS[step.status]
            count = there["action_execution", *step.place, status]
            verdict.count(count, 1, f"audit records that say {status} of {step.place}")
    tables = {"event_received": "event", "approval_requested": "approval", "approval_decided": "approval"}
    for action, table in tables.items():
        verdict.count(totals[action], evidence.rows(f"SELECT count(*) FROM {table}")[0][0], f"audit records {action}")


def journal_intact(evidence: Evidence, verdict: Verdict) -> None:
    for problem, *_ in evidence.rows("PRAGMA integrity_check") + evidence.rows("PRAGMA foreign_key_check"):
        if problem != "ok":
            verdict.add(WRONG, f"journal: {problem}")


def vault_in_order(evidence: Evidence, verdict: Verdict) -> None:
    """Each file, notification and note is there once, where it belongs."""
    vault = evidence.vault
    tokens = {
        step.label: (step.result or {}).get("token") for step in evidence.steps.values() if step.step_id == "roll"
    }
    files: defaultdict[str, list[str]] = defaultdict(list)
    for path in (vault / "Out").glob("*.md"):
        files[path.stem.split(" ")[0]].append(path.read_text(encoding="utf-8"))
    told = Counter(path.name.split("_")[3] for path in (vault / "Inbox").glob("NOTIFICATION_*.md"))
    for label in files.keys() | told.keys() | tokens.keys():
        if files[label] != [tokens.get(label)]:
            verdict.add(WRONG, f"the files of {label} hold {files[label]}, not {tokens.get(label)}")
        verdict.count(told[label], int(label in tokens), f"notifications of {label}")
    notes: defaultdict[str, list[str]] = defaultdict(list)
    for folder in ("Pending_Approval", "Approved", "Rejected", "Done"):
        for path in (vault / folder).glob("*_*_*.md"):  # not the list of what waits
            notes[path.name.split("_")[2]].append(folder)
    for title, state in evidence.rows("SELECT title, state FROM approval"):
        where = notes[title.replace("/", "-")]
        unseen = not where and not decides_in_vault(title)  # decided elsewhere before there was a note
        if where != ["Done" if state == "approved" else "Rejected"] and not unseen:
            verdict.add(WRONG, f"the note of {title}, which was {state}, is in {where}")
    for path in (vault / "Inbox").glob("ATTENTION_*.md"):
        verdict.seen["notices"] += 1
        if "\naie_status: settled\n" not in path.read_text(encoding="utf-8"):
            verdict.add(WRONG, f"{path.name} still says that something is open")
    verdict.seen["temporary files left"] = sum(1 for _ in vault.rglob(".aie-*.tmp"))
