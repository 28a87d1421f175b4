"""Evidence: what a plugin wrote and said while something was tried, and what was changed by it."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from aie.credentials import LEAST_MASKED
from aie.plain import Json
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
