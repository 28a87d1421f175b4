"""The doctor: looks over a whole set-up, and says of each part how it stands and what to do about it.

It only looks. Nothing is written, and the journal of a running engine is read beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import tomllib
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
from filelock import FileLock, Timeout

from aie import schema
from aie.builtin.schedule import Schedule, named_schedules, next_times, workflow_schedule
from aie.catalogue import Catalogue
from aie.config import Config
from aie.config_file import FILE_NAME
from aie.connections import CheckContext, Connection, Finding, Level
from aie.credentials import Credentials, CredentialStore
from aie.errors import AieError, JournalError, PluginError
from aie.events import EventType
from aie.history import History
from aie.journal import FILE_NAME as JOURNAL_NAME
from aie.journal import WAL_SAFE_FROM
from aie.journal_file import log_bytes, look, present, refuse_damage
from aie.library import Library, Shelf
from aie.notices import WATCH, silences
from aie.past import Past
from aie.pause import NOTE as STOP_NOTE
from aie.plugin_tables import CORE
from aie.plugins.plugin import Offer, PluginState
from aie.plugins.registry import Registry
from aie.run import RunStatus
from aie.templates import TemplateCompiler
from aie.workflow import Workflow

LITTLE_SPACE_BYTES = 1_000_000_000
NO_SPACE_BYTES = 100_000_000
CONNECTION_WITHIN_S = 10.0
SOON_DAYS = 14  # before a connection ends
LARGE_LOG_BYTES = 64_000_000
CLOCK_SLACK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: how it stands, and the next step where there is one."""

    area: str
    level: Level
    message: str
    hint: str = ""


def examine(vault: Path, env: Mapping[str, str], now: datetime, *, offline: bool = False) -> Iterator[Check]:
    """Everything, in the order in which one thing stands on another; ``offline`` asks no service how it stands."""
    try:
        config = Config.load(vault, env)
    except AieError as error:
        yield Check("settings", Level.FAIL, _with_place(error), error.hint)
        return
    registry = Registry.load(config)
    library = Library(config.workflow_folders, TemplateCompiler())
    library.refresh()
    yield from _settings(config, registry, env)
    yield from _folders(config)
    yield from _state(config)
    yield _sqlite()
    yield from _plugins(registry)
    yield from _connections(config, registry, env, now, offline)
    yield from _inspections(config, registry, env, now)
    yield from _workflows(library.shelf, registry)
    yield from _schedules(library.shelf, registry, config, now)
    yield from _journal(config, library.shelf, now)


# --- what others ask too ------------------------------------------------------------------------------------------


def engine_at_work(state_dir: Path) -> bool:
    """Whether an engine holds this state folder right now, as far as this user may know."""
    path = state_dir / "engine.lock"
    try:
        if not path.exists():
            return False
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout:
        return True
    except OSError:  # a folder or a lock of somebody else's
        return False
    lock.release()
    return False


def missing_actions(workflow: Workflow, registry: Registry) -> list[PluginError]:
    """Why steps of a workflow could not be carried out: one error per action that is not there."""
    problems = []
    for action_type in dict.fromkeys(step.action_type for step in workflow.steps):
        try:
            registry.handler(action_type)
        except PluginError as error:
            problems.append(error)
    return problems


def missing_source(workflow: Workflow, registry: Registry) -> tuple[str, str]:
    """Why this workflow's events do not come, and the next step; both '' if they do, or if nobody knows a source."""
    event_type, catalogue = workflow.trigger_event, Catalogue.load()
    package = catalogue.event_types.get(event_type, "")
    if not package or any(event_type in offer.item.event_types for offer in registry.sources()):
        return "", ""
    plugin = next(name for name, its in catalogue.plugins.items() if its == package)
    if any(info.name == plugin and info.state is PluginState.OK for info in registry.plugins):
        return (
            f"{plugin} brings no {event_type} events before it is connected",
            f"aie connect {plugin}, or hand them in with aie emit",
        )
    return (
        f"nothing installed brings {event_type} events",
        f"aie plugins install {package}, or hand them in with aie emit",
    )


def schedules_of(shelf: Shelf, registry: Registry, config: Config) -> tuple[list[Schedule], list[str]]:
    """All schedules that run, named ones first, and a sentence for each workflow whose own cannot be used."""
    schedules = named_schedules(registry.plugin(CORE).settings, config.timezone)
    problems = []
    for workflow_id, workflow in sorted(shelf.workflows.items()):
        if workflow.schedule is not None and workflow.enabled:
            try:
                schedules.append(workflow_schedule(workflow, config.timezone))
            except ValueError as error:
                problems.append(f"workflow {workflow_id!r} is not started by its schedule: {error}")
    return schedules, problems


# --- the parts ----------------------------------------------------------------------------------------------------


def _with_place(error: AieError) -> str:
    return f"{error.where}: {error.message}" if error.where else error.message


def _settings(config: Config, registry: Registry, env: Mapping[str, str]) -> Iterator[Check]:
    path = config.vault / FILE_NAME
    if path.exists():
        yield Check("settings", Level.OK, str(path))
    else:
        yield Check("settings", Level.WARN, f"there is no {FILE_NAME} in {config.vault}", f"aie init {config.vault}")
    for warning in (*config.warnings, *registry.warnings):
        message, _, hint = warning.partition("; ")
        yield Check("settings", Level.WARN, message, hint)
    zone = config.timezone.key
    if zone == "UTC" and not _says_timezone(path, env):
        hint = f'set it in {FILE_NAME}, for example: timezone = "Europe/Berlin"'
        yield Check("time zone", Level.WARN, "UTC, because this computer says nothing else", hint)
    else:
        yield Check("time zone", Level.OK, zone)


def _says_timezone(path: Path, env: Mapping[str, str]) -> bool:
    return bool(env.get("AIE_TIMEZONE")) or (
        path.exists() and "timezone" in tomllib.loads(path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    )


def _folders(config: Config) -> Iterator[Check]:
    folders = [config.vault, *(path for path in sorted(config.vault.iterdir()) if path.is_dir())]
    own = [path for path in folders if not path.name.startswith(".") or path == config.vault]
    shut = [path for path in own if not os.access(path, os.W_OK | os.X_OK)]
    for path in shut:
        yield Check("vault", Level.FAIL, f"{path} cannot be written", "check its owner and permissions")
    if not shut:
        yield Check("vault", Level.OK, f"{config.vault} can be written")
    if (config.vault / STOP_NOTE).exists():
        hint = "move that note away to let it go on"
        yield Check("pause", Level.WARN, f"nothing reaches outside, because {STOP_NOTE} lies in the vault", hint)
    gone = [path for path in config.workflow_folders if not path.is_dir()]
    for path in gone:
        yield Check("vault", Level.WARN, f"there is no workflow folder {path}", f"mkdir {path}")


def _state(config: Config) -> Iterator[Check]:
    folder = config.state_dir
    ground = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if not os.access(ground, os.W_OK | os.X_OK):
        hint = "check its permissions, or set state_dir in aie.toml to a folder of yours"
        yield Check("state", Level.FAIL, f"{ground} cannot be written", hint)
        return
    if not folder.exists():
        yield Check("state", Level.OK, f"{folder} (made when aie first runs)")
    elif shut := [name for name in (JOURNAL_NAME, "engine.lock") if not _writable(folder / name)]:
        yield Check("state", Level.FAIL, f"{folder / shut[0]} cannot be written", "check its owner and permissions")
        return
    elif os.name == "posix" and folder.stat().st_mode & 0o077:
        yield Check("state", Level.WARN, f"other users can look into {folder}", f"chmod 700 {folder}")
    else:
        yield Check("state", Level.OK, str(folder))
    free = shutil.disk_usage(ground).free
    level = Level.FAIL if free < NO_SPACE_BYTES else Level.WARN if free < LITTLE_SPACE_BYTES else Level.OK
    hint = "free some space: aie takes nothing in once the disk is full" if level is not Level.OK else ""
    yield Check("disk", level, f"{free / 1e9:,.1f} GB free", hint)
    if engine_at_work(folder):
        with contextlib.suppress(OSError):
            yield Check("engine", Level.OK, f"at work, process {(folder / 'engine.pid').read_text().strip()}")
            return
    yield Check("engine", Level.OK, "not running", "aie start watches and runs workflows")


def _writable(path: Path) -> bool:
    return not path.exists() or os.access(path, os.W_OK)


def _sqlite() -> Check:
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) >= WAL_SAFE_FROM:
        return Check("SQLite", Level.OK, version)
    wanted = ".".join(map(str, WAL_SAFE_FROM))
    return Check("SQLite", Level.WARN, f"{version}: safe, but slower than {wanted}", "pip install --upgrade apsw")


def _plugins(registry: Registry) -> Iterator[Check]:
    for info in registry.plugins:
        name = f"{info.name} {info.version}".strip()
        if info.state is PluginState.BROKEN:
            yield Check("plugin", Level.FAIL, f"{name} is broken: {info.reason}", info.hint)
        elif info.state is PluginState.OFF:
            yield Check("plugin", Level.OK, f"{name} is off: {info.reason}")
        else:
            level = Level.WARN if info.reason else Level.OK
            yield Check("plugin", level, f"{name}: {info.reason}" if info.reason else name, info.hint)


def _connections(
    config: Config, registry: Registry, env: Mapping[str, str], now: datetime, offline: bool
) -> Iterator[Check]:
    store = CredentialStore(config.credentials_dir, env)
    offers = [offer for offer in registry.connections() if _is_used(offer, store)]

    async def look_at_all() -> list[list[Finding]]:
        return await asyncio.gather(*(_look_at(offer, store, config, now, offline) for offer in offers))

    for offer, findings in zip(offers, asyncio.run(look_at_all()), strict=True):
        for found in findings:
            message = store.masked(f"{offer.item.name}: {found.message}")
            yield Check("connection", found.level, message, store.masked(found.hint))


def _is_used(offer: Offer[Connection], store: CredentialStore) -> bool:
    used = offer.item.used
    return store.of(offer.item.name).record is not None or used is None or bool(used(offer.settings))


async def _look_at(
    offer: Offer[Connection], store: CredentialStore, config: Config, now: datetime, offline: bool
) -> list[Finding]:
    """How a connection stands: by what is known here, then by what its service says."""
    name, credentials = offer.item.name, store.of(offer.item.name)
    again = f"aie connect {name}"
    try:
        record = credentials.record
    except AieError as error:
        return [Finding(Level.FAIL, error.message, error.hint)]
    if record is None and offer.item.used is None:
        return [Finding(Level.WARN, "not connected", again)]
    findings = []
    asks = not offline and offer.item.check is not None  # then it says itself what does not work
    if record is not None and record.trouble and not asks:
        findings.append(Finding(Level.FAIL, record.trouble, again))
    if record is not None and record.expires_at is not None:
        left_days = (record.expires_at - now).total_seconds() / 86_400
        day = f"{record.expires_at.astimezone(config.timezone):%Y-%m-%d}"
        if left_days <= 0:
            findings.append(Finding(Level.FAIL, f"the connection ended on {day}", again))
        elif left_days <= SOON_DAYS:
            findings.append(Finding(Level.WARN, f"the connection ends on {day}, in {left_days:.0f} days", again))
    if not offline and offer.item.check is not None:
        findings += await _asked(offer.item.check(_check_context(offer, credentials, config, now)), again)
    whose = f" as {record.account}" if record and record.account else ""
    return findings or [Finding(Level.OK, f"connected{whose}" + (", not asked now" if offline else ""))]


def _check_context(offer: Offer[Any], credentials: Credentials, config: Config, now: datetime) -> CheckContext:
    log = logging.getLogger(f"aie.plugin.{offer.plugin}")
    cache_dir = config.cache_dir(offer.plugin)
    return CheckContext(offer.settings, config.vault, config.timezone, credentials, now, log, cache_dir)


def _inspections(config: Config, registry: Registry, env: Mapping[str, str], now: datetime) -> Iterator[Check]:
    """What plugins find amiss in what is their own."""
    store, offers = CredentialStore(config.credentials_dir, env), registry.inspections()

    async def look_at_all() -> list[list[Finding]]:
        contexts = [_check_context(offer, store.of(offer.plugin), config, now) for offer in offers]
        checks = zip(offers, contexts, strict=True)
        return await asyncio.gather(*(_asked(offer.item.check(context), "") for offer, context in checks))

    for offer, findings in zip(offers, asyncio.run(look_at_all()), strict=True):
        for found in findings:
            yield Check(offer.item.name, found.level, store.masked(found.message), store.masked(found.hint))


async def _asked(check: Awaitable[Sequence[Finding]], again: str) -> list[Finding]:
    try:
        return list(await asyncio.wait_for(check, CONNECTION_WITHIN_S))
    except TimeoutError:
        hint = "look at the network and at the service, then try again"
        return [Finding(Level.FAIL, f"no answer within {CONNECTION_WITHIN_S:g} s", hint)]
    except AieError as error:
        return [Finding(Level.FAIL, _with_place(error), error.hint or again)]
    except Exception as error:  # plugin code may raise anything
        return [Finding(Level.FAIL, f"the check failed: {type(error).__name__}: {error}", again)]


def _workflows(shelf: Shelf, registry: Registry) -> Iterator[Check]:
    count = len(shelf.workflows)
    yield Check(
        "workflows",
        Level.OK if count else Level.WARN,
        f"{count} can be used" if count else "there are none",
        "" if count else "aie init offers five to begin with",
    )
    for problem in shelf.problems:
        yield Check("workflow", Level.FAIL, _with_place(problem), problem.hint)
    for workflow_id, workflow in sorted(shelf.workflows.items()):
        if not workflow.enabled:
            continue
        missing = missing_actions(workflow, registry)
        for error in missing:
            yield Check("workflow", Level.WARN, f"{workflow_id}: {error.message}", error.hint)
        why, hint = ("", "") if missing else missing_source(workflow, registry)
        if why:
            yield Check("workflow", Level.WARN, f"{workflow_id}: {why}", hint)


def _schedules(shelf: Shelf, registry: Registry, config: Config, now: datetime) -> Iterator[Check]:
    schedules, problems = schedules_of(shelf, registry, config)
    for problem in problems:
        yield Check("schedule", Level.FAIL, problem, "correct the workflow's schedule")
    listening = [
        workflow
        for workflow in shelf.by_event.get(EventType.SCHEDULED_TRIGGER, ())
        if workflow.enabled and workflow.schedule is None
    ]
    for schedule in schedules:
        times = ", ".join(f"{time:%a %Y-%m-%d %H:%M}" for time in next_times(schedule, now, 3))
        message = f"{schedule.name}: {times or 'never again'}"
        if schedule.workflow_id is None and not listening:
            yield Check("schedule", Level.WARN, f"{message}; no workflow listens to it", "see aie workflows list")
        else:
            yield Check("schedule", Level.OK, message)


def _journal(config: Config, shelf: Shelf, now: datetime) -> Iterator[Check]:
    path = config.state_dir / JOURNAL_NAME
    try:
        if not present(path):
            yield Check("journal", Level.OK, "none yet: nothing has happened")
            return
        with contextlib.closing(look(path)) as connection:
            refuse_damage(path, connection)
            size, history = path.stat().st_size / 1e6, Past(connection)
            oldest = next((f", back to {event.received_at[:10]}" for event in history.oldest()), "")
            yield Check("journal", Level.OK, f"sound, version {schema.VERSION}, {size:,.1f} MB{oldest}")
            if log_bytes(path) > LARGE_LOG_BYTES:
                message = f"its write-ahead log has {log_bytes(path) / 1e6:,.0f} MB: another program reads it for long"
                yield Check("journal", Level.WARN, message, "close what else has the journal open, a backup say")
            yield from _clock(history, now)
            yield from _open_ends(history, engine_at_work(config.state_dir))
            for notice in silences(history, history.cursor(WATCH), shelf, config.timezone):
                yield Check("expected", Level.WARN, notice.title, notice.commands[0][1])
    except JournalError as error:
        yield Check("journal", Level.FAIL, _with_place(error), error.hint)


def _clock(history: History, now: datetime) -> Iterator[Check]:
    """Whether the clock of this computer stands before what has happened."""
    head = history.audit_head()
    newest = history.audit(after=head[0] - 1, limit=1) if head else []
    ahead = datetime.fromisoformat(str(newest[0].fields["timestamp"])) - now if newest else timedelta()
    if ahead > CLOCK_SLACK:
        message = f"it says {now:%Y-%m-%d %H:%M} UTC, {ahead.total_seconds() / 3600:,.1f} h before the newest record"
        yield Check("clock", Level.FAIL, message, "set the computer's clock right: schedules and waits go by it")


def _open_ends(history: History, engine: bool) -> Iterator[Check]:
    if why := history.paused():
        yield Check("pause", Level.WARN, f"nothing reaches outside: {why}", "aie resume lets it go on")
    counts = history.open_counts()
    for status, what in (
        (RunStatus.UNCERTAIN, "may have done something or not, and wait for your word"),
        (RunStatus.BLOCKED, "wait for a plugin"),
        (RunStatus.HELD, "are held because they were too many"),
    ):
        if count := counts.get(status):
            yield Check("runs", Level.WARN, f"{count} {what}", f"aie runs list --status {status}")
    if not engine and (count := counts.get(RunStatus.RUNNING)):
        yield Check("runs", Level.WARN, f"{count} were interrupted", "aie start goes on with them")
    pending = history.pending_count()
    yield Check(
        "approvals",
        Level.OK,
        f"{pending} wait for your decision" if pending else "none wait for you",
        "aie approvals list" if pending else "",
    )
