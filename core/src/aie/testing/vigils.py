"""Vigils: each source and each check for the doctor, tried against the stand-in of the service."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from aie.connections import Connection, Inspection
from aie.plain import dumps
from aie.sources import EventSource
from aie.testing.bench import Bench
from aie.testing.evidence import overheard, refuse_secrets, refuse_unknown
from aie.testing.findings import Findings, NotTriedError, ViolationError
from aie.testing.home import Home
from aie.testing.watching import Watched

LOOK_S = 2.0  # real seconds that a source which never sleeps is watched for, when nobody knows what it should tell
NEWS_S = 20.0  # and when something is known to have happened
STALLED_S = 0.5
SPAN = timedelta(hours=1)  # of the clock; a source looks again and again meanwhile


def try_source(bench: Bench, source: EventSource, findings: Findings) -> None:
    """Let it work for a while, and stop it; the same with a service that does not answer."""
    subject, found = f"source {source.name}", None
    with bench.home() as home, overheard() as lines:
        with findings.check("events", subject):
            within_s = LOOK_S
            if source.name in bench.news:
                within_s = NEWS_S
                home.watch(source.name, within_s=NEWS_S, until=lambda events: True)
                bench.news[source.name](home)
            found = home.watch(source.name, span=SPAN, within_s=within_s, until=bool)
            _refuse_misfits(source, found, home)
        secrets = bench.secrets(home)
    if found is not None:
        with findings.check("cancellation", subject):
            _refuse_staying(found)
    with findings.check("secrets", subject):
        texts = [dumps(event.plain()) for event in found.events] if found else []
        refuse_secrets(secrets, {"an event": texts, "the log": lines})
    if bench.stalled is None:
        return
    with findings.check("cancellation", f"{subject}, with a stalled service"), bench.home() as usual:
        found = None
        with bench.stalled() as changes, bench.elsewhere(usual, changes) as home, contextlib.suppress(Exception):
            found = home.watch(source.name, within_s=STALLED_S)  # it may well fail: what counts is that it ends
        if found is not None:
            _refuse_staying(found)


def _refuse_misfits(source: EventSource, found: Watched, home: Home) -> None:
    for event in found.events:
        if event.event_type not in source.event_types:
            raise ViolationError(
                f"it emits {str(event.event_type)!r}, which is not among its event_types",
                f"write event_types=(…, {str(event.event_type)!r})",
            )
        refuse_unknown(event, home.registry)
    if not found.events:
        raise NotTriedError("it found nothing to tell")


def _refuse_staying(found: Watched) -> None:
    if not found.ended:
        raise ViolationError("it does not end within a second when cancelled", "let CancelledError through")


def try_check(bench: Bench, item: Connection | Inspection, findings: Findings) -> None:
    """What the doctor asks: it answers, changes nothing, and gives no secret away."""
    word = "connection" if isinstance(item, Connection) else "inspection"
    if item.check is None:
        return
    with findings.check("doctor", f"{word} {item.name}"), bench.home() as home, overheard() as lines:
        with bench.unchanged(home, "its check", "let it look, and change nothing"):
            answers = home.check(item.name)
        texts = [text for answer in answers for text in (answer.message, answer.hint)]
        refuse_secrets(bench.secrets(home), {"what the doctor says": texts, "the log": lines})
