"""``aie emit``: hand in an event."""

from __future__ import annotations

import difflib
from pathlib import Path

import rich_click as click

from aie.cli.event_input import given_data, refuse_unknown_workflow
from aie.cli.handing_in import hand_in
from aie.cli.output import Output, WrongUseError, common_options, show_warnings
from aie.cli.plans import show_plans
from aie.cli.vaults import open_vault, wait_for
from aie.events import Event, EventType
from aie.orchestrator import AsyncOrchestrator
from aie.seams import RandomIds

OWN_SOURCES = ("approvals", "schedule")  # aie's own: an id used up under their names would hide a true event


@click.command()
@click.argument("event_type", metavar="TYPE")
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option(
    "--data", metavar="JSON|@FILE", help="The event's data: JSON, or @ and a file that holds it (@- reads it)."
)
@click.option("--source", default="cli", show_default=True, help="Where it comes from.")
@click.option(
    "--id", "event_id", default=None, help="Its id: one SOURCE and ID are one event, for ever. Made up if left out."
)
@click.option("--workflow", "workflow_id", default=None, help="Only for this workflow.")
@click.option("--dry-run", is_flag=True, help="Show what would happen; do and record nothing.")
@click.option("--force", is_flag=True, help="Take it even if nothing knows the type.")
@common_options
def command(
    event_type: str, pairs: tuple[str, ...], data: str | None, source: str, event_id: str | None,
    workflow_id: str | None, dry_run: bool, force: bool, vault: Path | None, output: Output,
) -> int:  # fmt: skip
    """Hand in an event, run what it starts, and say what became of it.

    Where aie start is running, it does the work. Values that look like JSON are read as such, so amount=750 is a
    number. The exit code is 1 when a run or a condition failed.

    \b
    Examples:
      aie emit expense_recorded name="Team lunch" amount=750 date=2026-02-09
      aie emit invoice_created --data @invoice.json --dry-run
    """
    show_warnings()
    event = Event(
        event_type=event_type,
        source=source,
        data=given_data(data, pairs),
        event_id=event_id or RandomIds().new("evt"),
        workflow_id=workflow_id,
    )
    orchestrator = open_vault(vault)
    orchestrator.library.refresh()
    if workflow_id is not None:
        refuse_unknown_workflow(orchestrator, workflow_id)
    if not force:
        _refuse_unknown_type(orchestrator, event_type)
    if dry_run:
        return show_plans(orchestrator, event, output)
    if source in OWN_SOURCES or (event_type == EventType.APPROVAL_RECEIVED and not force):
        raise WrongUseError(
            f"{'the source ' + repr(source) if source in OWN_SOURCES else event_type} is kept for aie's own events",
            where="--source" if source in OWN_SOURCES else "TYPE",
            hint="choose another source" if source in OWN_SOURCES else "try a workflow on it with --dry-run",
        )
    return wait_for(hand_in(orchestrator, event, output))


def _refuse_unknown_type(orchestrator: AsyncOrchestrator, event_type: str) -> None:
    known = {offer.item.name for offer in orchestrator.registry.event_types()} | set(
        orchestrator.library.shelf.by_event
    )
    if event_type in known:
        return
    near = difflib.get_close_matches(event_type, known, n=1, cutoff=0.4)
    guess = f"did you mean {near[0]}? " if near else ""
    raise WrongUseError(
        f"no plugin and no workflow knows the event type {event_type!r}",
        where="TYPE",
        hint=f"{guess}--force takes it all the same",
    )
