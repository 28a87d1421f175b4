"""How commands speak: tables and sentences to people, one JSON object per line to programs, errors as one block."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import rich_click as click

from aie.errors import AieError

_VERBOSE = "aie.verbose"
F = TypeVar("F", bound=Callable[..., Any])


class WrongUseError(AieError):
    """The command was called with something it cannot use: exit code 2."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's words go. What people read is made harmless: no terminal control gets through."""

    json: bool = False

    def record(self, fields: Mapping[str, Any]) -> None:
        """One object for a program; nothing for a person."""
        if self.json:
            write(json.dumps(fields, ensure_ascii=False, default=str))

    def line(self, text: str = "") -> None:
        """A line for a person, broken between words where a terminal would break it in one; nothing for a program."""
        if not self.json:
            write(fitted(clean(text)) if sys.stdout.isatty() else clean(text))

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str, whole: Sequence[str] = ()
    ) -> None:
        """Rows for a person; ``empty`` when there are none. The columns named in ``whole`` are never broken."""
        if self.json:
            return
        found = [tuple(map(str, row)) for row in rows]
        if not found:
            write(empty)
            return
        from rich.console import Console  # noqa: PLC0415 - takes longer to import than most commands to run
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column in whole)
        for row in found:
            table.add_row(*(Text(clean(cell)) for cell in row))
        Console(soft_wrap=False).print(table)


def clean(text: str) -> str:
    """The text with what could steer a terminal shown as escapes; its line breaks stay."""
    if text.isascii() and text.isprintable():
        return text
    from aie.builtin.log_lines import harmless  # noqa: PLC0415 - brings the plugin layer with it

    return "\n".join(harmless(line) for line in text.split("\n"))


def fitted(text: str) -> str:
    """The text with each line that is too wide for the terminal broken between words and indented a little deeper."""
    width = shutil.get_terminal_size().columns
    lines = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        broken = textwrap.wrap(
            line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
        )
        lines.append("\n".join(broken) if len(line) > width else line)
    return "\n".join(lines)


def write(text: str) -> None:
    """A line to standard output, whatever its encoding can show."""
    try:
        sys.stdout.write(text + "\n")
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def common_options(function: F) -> F:
    """``--vault``, ``--json`` and ``--verbose``, which every command has. Passed on as ``vault`` and ``output``."""

    def with_output(context: click.Context, parameter: click.Parameter, value: bool) -> Output:
        return Output(value)

    def remember(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        context.meta[_VERBOSE] = value

    function = click.option(
        "--verbose", is_flag=True, expose_value=False, callback=remember, help="Show the traceback of an error as well."
    )(function)
    function = click.option(
        "--json", "output", is_flag=True, callback=with_output, help="One JSON object per line, for programs."
    )(function)
    return click.option(
        "--vault",
        type=click.Path(path_type=Path),
        default=None,
        help="The vault; found from where you stand if left out.",
    )(function)


def show_failure(error: BaseException, *, json_output: bool, verbose: bool) -> int:
    """One block on standard error: what, where, the next thing to do. Gives the exit code."""
    if isinstance(error, AieError):
        parts = error.as_dict()
    else:
        parts = {
            "error": f"{type(error).__name__}: {error}",
            "hint": "this is a mistake in aie or in a plugin: run it again with --verbose and report what it shows",
        }
    if json_output:
        sys.stdout.write(json.dumps(parts, ensure_ascii=False) + "\n")
    lines = [f"Error: {parts['error']}"]
    if "where" in parts:
        lines.append(f"  Where: {parts['where']}")
    if "hint" in parts:
        lines.append(f"  Next:  {parts['hint']}")
    sys.stderr.write(clean("\n".join(lines)) + "\n")
    if verbose:
        sys.stderr.write("".join(traceback.format_exception(error)))
    return 2 if isinstance(error, WrongUseError) else 1


class _OneLine(logging.Formatter):
    """``Warning: text``; the traceback only for those who asked for it."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__()
        self._verbose = verbose

    def format(self, record: logging.LogRecord) -> str:
        word = "Error" if record.levelno >= logging.ERROR else "Warning"
        text = " ".join(record.getMessage().split())
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            text += f": {type(error).__name__}: {' '.join(str(error).split())}"
            if self._verbose:
                text += "\n" + "".join(traceback.format_exception(error)).rstrip()
        return clean(f"{word}: {text}")


def show_warnings() -> None:
    """From now on what aie and its plugins warn of is a line each on standard error."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    context = click.get_current_context(silent=True)
    handler.setFormatter(_OneLine(verbose=bool(context is not None and context.meta.get(_VERBOSE))))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


def local(moment: datetime | None, zone: ZoneInfo, *, none: str = "-") -> str:
    """A time for a person: ``2026-02-09 18:30:00`` in the vault's zone."""
    return none if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def shorten(text: str, width: int) -> str:
    """The text in one line of at most ``width`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
