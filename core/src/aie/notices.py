"""Notices: what waits for a person's word, or is news to them, and is no request for approval.

What is open in the journal makes some; time makes others: a workflow that has not run for too long, a connection that
ends soon or does not work. For those the lookout keeps its watch, and since when they are known, in the journal.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aie.approvals import Approval, Notice
from aie.credentials import ConnectionRecord, CredentialStore
from aie.durations import expected_s
from aie.errors import AieError
from aie.history import History
from aie.library import Shelf
from aie.plain import Json, digest
from aie.rows import RunRow
from aie.run import RunStatus, StepRecord, StepStatus
from aie.workflow import Workflow

WATCH = "lookout"  # the cursor with what is watched
WARN_DAYS = (14, 7, 1, 0)  # before a connection ends
CATCH_UP = timedelta(minutes=10)  # after a start, for what came due meanwhile to run

REMIND_AT = (0.5, 0.9)  # of the time a request has
MOST_LISTED = 20
MOST = 1_000  # runs looked at, newest first: nobody reads more notes than that


def open_notices(history: History) -> list[Notice]:
    """Steps that may have happened or not, and what the flood guard holds."""
    notices = [
        _uncertain(row, record, history)
        for row in history.runs(status=str(RunStatus.UNCERTAIN), limit=MOST)
        for record in history.steps(row.seq)
        if record.status is StepStatus.UNCERTAIN
    ]
    return notices + [
        Notice(
            notice_id=f"held/{name}/{first.run_id}",
            title=f"{name} starts too often: {count:,} wait",
            text=f"{(first.error or {}).get('error', '')}. The others wait, in case that is a mistake or a loop.",
            commands=(
                ("Look at them", "aie runs list --status held"),
                ("Let them go on", f"aie runs release {shlex.quote(name)}"),
                ("Drop them", f"aie runs release {shlex.quote(name)} --cancel"),
            ),
            since=first.created_at,
        )
        for name, count, first in history.held()
    ]


def _uncertain(row: RunRow, record: StepRecord, history: History) -> Notice:
    action = json.loads(history.definition(row.hash))["actions"][record.index]
    step_id = action.get("id") or f"action_{record.index}"
    command = f"aie runs resolve {row.run_id} {step_id}"
    return Notice(
        notice_id=f"uncertain/{row.run_id}/{step_id}/{record.attempt}",
        title=f"Did {action['action_type']} happen? {row.workflow_id} waits",
        text=f"{(record.error or {}).get('error', '')}\n\nLook at the service. Nothing is repeated before you say so.",
        commands=(
            ("It happened", f"{command} --happened"),
            ("Do it again", f"{command} --repeat"),
            ("All about it", f"aie runs show {row.run_id}"),
        ),
        since=record.at,
    )


# --- what time makes ----------------------------------------------------------------------------------------------


def timely_notices(
    history: History, credentials: CredentialStore, shelf: Shelf, now: datetime, zone: ZoneInfo
) -> list[Notice]:
    """Workflows that have not run for too long, connections that end soon or do not work, requests that end soon."""
    watch = _table(history.cursor(WATCH))
    return [
        *silences(history, watch, shelf, zone),
        *_connections(credentials, _table(watch.get("trouble")), now, zone),
        *_reminder(history.approvals(pending=True), now, zone),
    ]


def _reminder(pending: Sequence[Approval], now: datetime, zone: ZoneInfo) -> Iterator[Notice]:
    """One for all requests of whose time a half, or nine tenths, has passed; another one when that is so of more."""
    due: list[tuple[datetime, str, Approval]] = []
    for approval in pending:
        if approval.expires_at is not None:
            passed = (now - approval.requested_at) / (approval.expires_at - approval.requested_at)
            if passed >= REMIND_AT[0]:
                stage = sum(passed >= share for share in REMIND_AT)
                due.append((approval.expires_at, f"{approval.approval_id}:{stage}", approval))
    if not due:
        return
    due.sort(key=lambda one: one[:2])
    marks = hashlib.sha256(" ".join(mark for _, mark, _ in due).encode()).hexdigest()[:16]
    lines = [f"- {approval.title} ({approval.workflow_id}), until {_local(end, zone)}" for end, _, approval in due]
    more = f"\n- and {len(lines) - MOST_LISTED} more" if len(lines) > MOST_LISTED else ""
    waits = "1 request waits" if len(due) == 1 else f"{len(due)} requests wait"
    yield Notice(
        notice_id=f"reminder/{marks}",
        title=f"{waits} for you, until {_local(due[0][0], zone)}",
        text="What nobody answers is rejected.\n\n" + "\n".join(lines[:MOST_LISTED]) + more,
        commands=(("Look at them", "aie approvals list"),),
        since=max(_reached(approval, now) for _, _, approval in due),
    )


def _reached(approval: Approval, now: datetime) -> datetime:
    """When the last of the shares of its time was reached that have passed."""
    assert approval.expires_at is not None
    length = approval.expires_at - approval.requested_at
    return max(moment for share in REMIND_AT if (moment := approval.requested_at + share * length) <= now)


def watched(
    before: Json, history: History, credentials: CredentialStore, shelf: Shelf, now: datetime, began: datetime
) -> dict[str, Json]:
    """What there is to watch at ``now``, and what has become news: the value that the cursor should have.

    ``before`` is what it has; ``began`` when this aie started.
    """
    old, counts, switches = _table(before), history.counts(), history.switches()
    silent: dict[str, Json] = {}
    for workflow_id, workflow in shelf.workflows.items():
        if workflow.expect and switches.get(workflow_id, workflow.enabled):
            count = counts.get(workflow_id)
            known = _table(_table(old.get("silent")).get(workflow_id))
            silent[workflow_id] = _silence(workflow, known, count.last_started if count else None, now, began)
    trouble: dict[str, Json] = {}
    for name in credentials.names():
        text, known = _trouble(credentials, name), _table(_table(old.get("trouble")).get(name))
        if text:  # which may hold a secret: the journal needs to know only whether it is the same
            same = known.get("digest") == digest(text)
            trouble[name] = known if same else {"digest": digest(text), "since": now.isoformat()}
    return {**old, "silent": silent, "trouble": trouble}


def _silence(
    workflow: Workflow, known: Mapping[str, Json], last_started: datetime | None, now: datetime, began: datetime
) -> dict[str, Json]:
    """Since when a workflow is watched, and since when it is told that it should have run; None while all is well."""
    since = _moment(known.get("since")) or now
    told = _moment(known.get("told"))
    last = max(since, last_started or since)
    if told is not None and told <= last:
        told = None
    longest = timedelta(seconds=expected_s(workflow.expect))
    if told is None and now - last > longest and now - began >= min(CATCH_UP, longest):
        told = now
    return {"since": since.isoformat(), "told": told.isoformat() if told else None}


def silences(history: History, cursor: Json, shelf: Shelf, zone: ZoneInfo) -> Iterator[Notice]:
    """A notice for each workflow that should have run, as far as the lookout has seen it by its cursor."""
    watch, counts = _table(cursor), history.counts()
    for workflow_id, entry in _table(watch.get("silent")).items():
        workflow, known = shelf.workflows.get(workflow_id), _table(entry)
        told, since = _moment(known.get("told")), _moment(known.get("since"))
        count = counts.get(workflow_id)
        last = count.last_started if count else None
        if workflow is None or not workflow.expect or told is None or since is None or (last and last >= told):
            continue
        ran = f"It last ran on {_local(last, zone)}" if last else f"It has not run since {_local(since, zone)}"
        yield Notice(
            notice_id=f"silent/{workflow_id}/{told.isoformat()}",
            title=f"{workflow_id} has not run ({workflow.expect})",
            text=f"{ran}, and is expected {workflow.expect.strip()}.{_off(watch, max(since, last or since), zone)}",
            commands=(
                ("What keeps it", f"aie why-not {shlex.quote(workflow_id)}"),
                ("Run it now", f"aie run {shlex.quote(workflow_id)}"),
            ),
            since=told,
        )


def _off(watch: Mapping[str, Json], last: datetime, zone: ZoneInfo) -> str:
    """That aie was off meanwhile, if it was."""
    off = _table(watch.get("off"))
    begin, end = _moment(off.get("from")), _moment(off.get("to"))
    if begin is None or end is None or end <= last or end - begin < CATCH_UP:
        return ""
    return f" aie was off from {_local(begin, zone)} to {_local(end, zone)}."


def _connections(
    credentials: CredentialStore, trouble: Mapping[str, Json], now: datetime, zone: ZoneInfo
) -> Iterator[Notice]:
    for name in credentials.names():
        ways = (("Connect anew", f"aie connect {name}"), ("Look at all connections", "aie doctor"))
        known = _table(trouble.get(name))
        since, text = _moment(known.get("since")), _trouble(credentials, name)
        if text and since is not None:
            title = f"The connection {name} does not work"
            yield Notice(f"trouble/{name}/{since.isoformat()}", title, credentials.masked(text), ways, since)
        begin, end = _life_of(credentials, name)
        if end is not None:
            yield from _endings(name, begin, end, now, zone, ways)


def _endings(
    name: str, begin: datetime | None, end: datetime, now: datetime, zone: ZoneInfo, ways: tuple[tuple[str, str], ...]
) -> Iterator[Notice]:
    """A notice for each of the times ahead of the end that has come; all stay until it is connected anew."""
    for days in WARN_DAYS:
        since = end - timedelta(days=days)
        if since <= now and (begin is None or since > begin):
            yield Notice(
                notice_id=f"expires/{name}/{end.isoformat()}/{days}",
                title=f"The connection {name} {'ends' if days else 'ended'} on {end.astimezone(zone):%Y-%m-%d}",
                text="What needs it fails from then on. Connecting anew takes a minute.",
                commands=ways,
                since=since,
            )


def _trouble(credentials: CredentialStore, name: str) -> str:
    """Why a connection does not work; '' while it does."""
    record, problem = _record_of(credentials, name)
    return record.trouble if record else problem


def _life_of(credentials: CredentialStore, name: str) -> tuple[datetime | None, datetime | None]:
    """From when until when a connection lasts, as far as that is known."""
    record, _ = _record_of(credentials, name)
    return (_aware(record.connected_at), _aware(record.expires_at)) if record else (None, None)


def _record_of(credentials: CredentialStore, name: str) -> tuple[ConnectionRecord | None, str]:
    """What is known of a connection, or why that cannot be read."""
    try:
        return credentials.of(name).record, ""
    except AieError as error:
        return None, error.message
    except (ValueError, TypeError) as error:  # the file was written by something else
        return None, f"what is known of {name} cannot be read: {error}"


def _aware(moment: datetime | None) -> datetime | None:
    """The time, in UTC where a plugin has left out the zone."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _table(value: Json) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _moment(value: Json) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")
