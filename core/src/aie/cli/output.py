"""How commands speak: tables and sentences to people, one JSON object per line to programs, errors as one block."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO, TypeVar
from zoneinfo import ZoneInfo

import click

from aie.errors import AieError

_VERBOSE = "aie.verbose"
F = TypeVar("F", bound=Callable[..., Any])


class WrongUseError(AieError):
    """The command was called with something it cannot use: exit code 2."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's words go. What people read is made harmless: no terminal control gets through.

    ``stream`` is standard output if it is None.
    """

    json: bool = False
    stream: TextIO | None = None

    def record(self, fields: Mapping[str, Any]) -> None:
        """One object for a program; nothing for a person."""
        if self.json:
            write(json.dumps(fields, ensure_ascii=False, default=str), self.stream)

    def line(self, text: str = "") -> None:
        """A line for a person, broken between words where a terminal would break it in one; nothing for a program."""
        if not self.json:
            stream = self.stream or sys.stdout
            write(fitted(clean(text)) if stream is not None and stream.isatty() else clean(text), stream)

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

    def abandon(self) -> None:
        """Write to nowhere from now on: the reader is gone."""
        let_go(self.stream or sys.stdout)


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


def write(text: str, stream: TextIO | None = None) -> None:
    """A line to standard output or another stream, whatever its encoding can show."""
    stream = stream or sys.stdout
    if stream is None:  # closed before aie was started
        return
    try:
        stream.write(text + "\n")
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    stream.flush()


def own_stdout() -> TextIO | None:
    """Standard output as a file of aie's own: a plugin that closes the standard ones does not take it away."""
    try:
        sys.stdout.flush()
        return os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors="replace", newline="\n")
    except (OSError, ValueError, AttributeError):  # it was closed before aie was started
        return sys.stdout


def keep_for_json() -> TextIO | None:
    """Standard output for aie alone: a program reads it, line by line.

    What anything else prints there from now on, a plugin or a program it starts, goes to standard error.
    """
    own = own_stdout()
    if own is not sys.stdout:
        with contextlib.suppress(OSError):
            os.dup2(2, 1)
        sys.stdout = sys.stderr
    return own


def let_go(stream: TextIO | None) -> None:
    """Send what is written to a stream to nowhere, so that nothing fails at the end for a reader who has gone."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
        os.close(nowhere)


def common_options(function: F) -> F:
    """``--vault``, ``--json`` and ``--verbose``, which every command has. Passed on as ``vault`` and ``output``."""

    def with_output(context: click.Context, parameter: click.Parameter, value: bool) -> Output:
        return Output(value, context.find_root().obj if value else None)

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


def show_failure(error: BaseException, *, json_output: TextIO | None, verbose: bool) -> int:
    """One block on standard error: what, where, the next thing to do. Gives the exit code.

    For a program it goes to ``json_output`` as well.
    """
    if isinstance(error, AieError):
        parts = error.as_dict()
    else:
        parts = {
            "error": f"{type(error).__name__}: {error}",
            "hint": "this is a mistake in aie or in a plugin: run it again with --verbose and report what it shows",
        }
    if json_output is not None:
        write(json.dumps(parts, ensure_ascii=False), json_output)
    lines = [f"Error: {parts['error']}"]
    if "where" in parts:
        lines.append(f"  Where: {parts['where']}")
    if "hint" in parts:
        lines.append(f"  Next:  {parts['hint']}")
    if sys.stderr is not None:  # None: it was closed before aie was started
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
