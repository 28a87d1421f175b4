"""The command line: ``aie``. A command's module is imported when the command is run, not to list it."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
from collections.abc import Iterable
from typing import Any, NoReturn, TextIO

import click

# name: (module in aie.cli, one line of help, panel)
COMMANDS = {
    "init": ("init", "Make a vault, or adopt the one you have.", "Set up"),
    "plugins": ("plugins", "What is installed, and what it adds.", "Set up"),
    "connect": ("connect", "Give a plugin access to an account, and try it.", "Set up"),
    "doctor": ("doctor", "Check the whole set-up; says what to mend first.", "Set up"),
    "start": ("start", "Watch everything and run workflows until stopped.", "Work"),
    "run": ("run", "Run one workflow now.", "Work"),
    "emit": ("emit", "Hand in an event.", "Work"),
    "pause": ("pause", "Let nothing reach outside until aie resume.", "Work"),
    "resume": ("resume", "Let everything go on after aie pause.", "Work"),
    "workflows": ("workflows", "List, check and switch workflows.", "Work"),
    "events": ("events", "What happened.", "Work"),
    "approvals": ("approvals", "What waits for your decision.", "Review"),
    "runs": ("runs", "What ran, and how it went.", "Review"),
    "why": ("why", "Why workflows started for an event, or not.", "Review"),
    "why-not": ("why_not", "Why a workflow has not run, and when it will.", "Review"),
    "audit": ("audit", "The record of everything done.", "Review"),
}
PANELS = ("Set up", "Work", "Review")
_OPTIONS = (("--version", "Show the version and exit."), ("-h, --help", "Show this message and exit."))
MAX_WIDTH = 100


class LazyGroup(click.Group):
    """Lists its commands from :data:`COMMANDS`; imports one when it is called. ``aie PLUGIN …`` runs a plugin's own.

    Its help is drawn here, in the look that rich-click gives the help of commands: importing rich takes ten times as
    long as printing this page.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return click.Command(name=cmd_name, help=COMMANDS[cmd_name][1])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in COMMANDS:
            command = importlib.import_module(f"aie.cli.{COMMANDS[name][0]}").command
            return name, command, args[1:]
        if not name.startswith("-"):
            found = importlib.import_module("aie.cli.plugins").plugin_command(name)
            if found is not None:
                return name, found, args[1:]
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = min(formatter.width + 2, MAX_WIDTH)  # click keeps two columns free
        formatter.write("\n Usage: aie [OPTIONS] COMMAND [ARGS]...\n\n")
        for paragraph in inspect.cleandoc(self.help or "").split("\n\n"):
            formatter.width = width - 2
            with formatter.indentation():
                formatter.write_text(paragraph)
            formatter.write("\n")
        for panel in PANELS:
            rows = [(name, text) for name, (_, text, where) in COMMANDS.items() if where == panel]
            formatter.write(_panel(panel, rows, width))
        formatter.write(_panel("Options", _OPTIONS, width))


def _panel(title: str, rows: Iterable[tuple[str, str]], width: int) -> str:
    """A box of two columns. What does not fit the width is cut, so that the box stays one."""
    inner = width - 4
    lines = [f"{name:<12}{text}"[:inner] for name, text in rows]
    body = "".join(f"│ {line:<{inner}} │\n" for line in lines)
    return f"╭─ {title} {'─' * (inner - len(title) - 1)}╮\n{body}╰{'─' * (inner + 2)}╯\n"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=False)
@click.version_option(package_name="aie-core", message="aie %(version)s")
def root() -> None:
    """Workflows for a small business: something happens, steps are drafted, you decide, everything is on record.

    New here? Try aie init, then aie start.
    """


def main(args: list[str] | None = None) -> None:
    """Run a command and end the process: 0 done, 1 failed, 2 wrong usage."""
    if args is None:
        _speak_utf8()
    arguments = sys.argv[1:] if args is None else args
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows '?' for it
    own = _stdout_for_json() if "--json" in arguments else None
    try:
        code: Any = root.main(arguments, prog_name="aie", standalone_mode=False, obj=own)
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        if own is not None:
            own.write(json.dumps({"error": error.format_message()}, ensure_ascii=False) + "\n")
        error.show()
        code = error.exit_code
    except Exception as error:
        code = _failed(error, own, verbose="--verbose" in arguments)
    _end(code if isinstance(code, int) else 0, own)


def _speak_utf8() -> None:
    """Begin anew where the locale made Python take another encoding for names of files: theirs are not all ASCII."""
    if os.name == "posix" and sys.getfilesystemencoding() != "utf-8" and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", "-m", "aie", *sys.argv[1:]])  # noqa: S606 - that is us


# What follows is imported when it is needed: nothing of it is needed by aie --help.


def _stdout_for_json() -> TextIO | None:
    from aie.cli.output import keep_for_json  # noqa: PLC0415

    return keep_for_json()


def _failed(error: Exception, own: TextIO | None, *, verbose: bool) -> int:
    from aie.cli.output import let_go, show_failure  # noqa: PLC0415

    if isinstance(error, BrokenPipeError):  # the reader went away (aie runs list | head): that is not our failure
        let_go(own or sys.stdout)
        return 0
    return show_failure(error, json_output=own, verbose=verbose)


def _end(code: int, own: TextIO | None) -> NoReturn:
    """End the process with this code, and not with that of a terminal which was closed meanwhile."""
    for stream in (own, sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            from aie.cli.output import let_go  # noqa: PLC0415

            let_go(stream)
    sys.exit(code)
