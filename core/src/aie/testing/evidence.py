"""Evidence: what a plugin wrote and said while something was tried, and what was changed by it."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from aie.credentials import LEAST_MASKED
from aie.errors import AieError
from aie.events import Event
from aie.machine import Success
from aie.plain import Json, dumps
from aie.plugins import Registry
from aie.testing.attempts import Attempt
from aie.testing.findings import ViolationError


@contextlib.contextmanager
def overheard() -> Iterator[list[str]]:
    """Every line that is logged or printed within the block: of aie and its plugins all, of others from INFO on."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(formatter.format(record))

    formatter, ear = logging.Formatter("%(name)s: %(message)s"), Ear()
    loggers = {logging.getLogger(): logging.INFO, logging.getLogger("aie"): logging.DEBUG}
    before = {logger: logger.level for logger in loggers}
    printed = io.StringIO()
    logging.getLogger().addHandler(ear)
    for logger, level in loggers.items():
        logger.setLevel(level)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield lines
    finally:
        logging.getLogger().removeHandler(ear)
        for logger, level in before.items():
            logger.setLevel(level)
        lines += printed.getvalue().splitlines()


def refuse_secrets(secrets: Mapping[str, str], said: Mapping[str, Iterable[str]]) -> None:
    """Raise a violation naming each secret that stands in what was said; ``said`` has texts by where they stand."""
    found = [
        f"the secret {name!r} stands in {place}"
        for place, texts in said.items()
        for name, secret in secrets.items()
        if len(secret) >= LEAST_MASKED and any(secret in text for text in texts)
    ]
    if found:
        raise ViolationError(
            "; ".join(found), "leave it out of every text; what a service or a library says may quote it"
        )


def contents(vault: Path) -> dict[str, bytes]:
    """Every file of the vault."""
    return {str(path.relative_to(vault)): path.read_bytes() for path in sorted(vault.rglob("*")) if path.is_file()}


def changed_files(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> str:
    """What became different in the vault, in words; '' if nothing did."""
    said = [f"{name} is new" for name in after if name not in before]
    said += [f"{name} is gone" for name in before if name not in after]
    said += [f"{name} is different" for name in after if name in before and before[name] != after[name]]
    return ", ".join(said)


def difference(before: Json, after: Json, path: str = "") -> str:
    """Where two pieces of data differ first, in words; '' if they are equal."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            inner = f"{path}.{key}" if path else str(key)
            if key not in after or key not in before:
                return f"{inner} is {'gone' if key not in after else 'new'}"
            if found := difference(before[key], after[key], inner):
                return found
        return ""
    if isinstance(before, list) and isinstance(after, list) and len(before) != len(after):
        return f"{path or 'the list'} has {len(after)} entries, and had {len(before)}"
    if isinstance(before, list) and isinstance(after, list):
        pairs = enumerate(zip(before, after, strict=True))
        return next((found for at, (one, two) in pairs if (found := difference(one, two, f"{path}[{at}]"))), "")
    return "" if before == after else f"{path or 'it'} is {_short(after)}, and was {_short(before)}"


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def words_of(made: Attempt) -> dict[str, list[str]]:
    """All that a call says, by where it stands."""
    told = {"the error": [*getattr(made.outcome, "error", {}).values()]}
    if isinstance(made.raised, AieError):
        told["the error"] += [made.raised.message, made.raised.where, made.raised.hint]
    elif made.raised is not None:
        told["the error"] += [str(made.raised)]
    if isinstance(made.outcome, Success):
        told["the result"] = [dumps(made.outcome.result)]
    told["an event"] = [dumps(event.plain()) for event in made.events]
    return told


def refuse_misfit(what: str, model: type[BaseModel], data: object) -> None:
    """A violation if the data are not what the model says."""
    try:
        model.model_validate(data)
    except ValueError as error:
        lines = str(error).splitlines()
        raise ViolationError(
            f"{what} does not fit {model.__name__}: {' '.join(line.strip() for line in lines[1:3])}",
            "correct the model, or what is returned",
        ) from None


def refuse_unknown(event: Event, registry: Registry) -> None:
    """A violation if nobody describes events of this type, or this one is different."""
    spec = registry.event_type(str(event.event_type))
    if spec is None:
        raise ViolationError(
            f"it emits an event of the type {str(event.event_type)!r}, which nobody describes",
            "let aie_event_types return an EventTypeSpec for it",
        )
    refuse_misfit(f"the data of an event {spec.name}", spec.model, dict(event.data))
