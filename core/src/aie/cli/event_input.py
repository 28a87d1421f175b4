"""What a command is given for an event: its data and the workflow it is for, read and looked over."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from aie.cli.output import WrongUseError
from aie.errors import EventError, NotFoundError
from aie.orchestrator import AsyncOrchestrator
from aie.plain import Json, parse_json
from aie.spelling import nearest


def given_data(data: str | None, pairs: Iterable[str]) -> dict[str, Json]:
    """The event's data: what ``--data`` says, with the ``key=value`` arguments on top."""
    fields = _read_object(data, "--data") if data is not None else {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise WrongUseError(
                f"{pair!r} is not KEY=VALUE", where="data", hint="for example amount=750, or --data '{\"amount\": 750}'"
            )
        fields[key] = _value(key, text)
    return fields


def _value(key: str, text: str) -> Json:
    """JSON where it is JSON, else the text as it stands."""
    try:
        return parse_json(text, where=key)
    except EventError:
        if text.lstrip().startswith(("{", "[")):
            raise
        return text


def _read_object(text: str, where: str) -> dict[str, Json]:
    """The JSON object in this text, or in the file that ``@`` names; ``@-`` is standard input."""
    value = parse_json(read_file(text[1:], where) if text.startswith("@") else text, where=where)
    if not isinstance(value, dict):
        raise WrongUseError("the data is no JSON object", where=where, hint='write it as {"amount": 750}')
    return value


def read_file(name: str, where: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).expanduser().read_bytes()
    except OSError as error:
        raise WrongUseError(f"{name!r} cannot be read: {error.strerror}", where=where, hint="check the name") from None


def refuse_unknown_workflow(orchestrator: AsyncOrchestrator, workflow_id: str) -> None:
    """Refuse an id that no usable workflow has, naming the nearest, or the file that is bad."""
    workflows = orchestrator.library.shelf.workflows
    if workflow_id in workflows:
        return
    near = nearest(workflow_id, workflows)
    bad = len(orchestrator.library.shelf.problems)
    hint = f"did you mean {near!r}?" if near else "aie workflows list shows them"
    if bad and not near:
        hint = f"{bad} of the workflow files cannot be used: aie workflows check"
    raise NotFoundError(f"no workflow has the id {workflow_id!r}", where="workflow", hint=hint)
