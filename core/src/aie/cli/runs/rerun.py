"""``aie runs rerun``: an ended run is done again."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.output import Output, WrongUseError, common_options
from aie.cli.run_views import one_run, rerun_record, run_record, words_for
from aie.cli.terminal import person
from aie.cli.vaults import load_config, open_vault, read_history, wait_for
from aie.errors import EventError
from aie.plain import Json, parse_json
from aie.rows import RunRow
from aie.run import RunStatus


@click.command("rerun")
@click.argument("run", metavar="RUN")
@click.option("--from", "since", metavar="STEP", help="Do this step and all after it anew.")
@click.option("--from-start", is_flag=True, help="Do every step anew.")
@click.option(
    "--current/--as-it-was", default=True, show_default=True, help="With the workflow as it is now, or as it was then."
)
@click.option("--set", "changes", metavar="event.data.X=VALUE", multiple=True, help="With other data of the event.")
@common_options
def rerun_run(
    run: str,
    since: str | None,
    from_start: bool,
    current: bool,
    changes: tuple[str, ...],
    vault: Path | None,
    output: Output,
) -> int:
    """Do a run that has ended again, from where it failed.

    Results that are on record are reused, and what you approved and was not done is not asked again. What reached
    outside, may do harm twice and is done anew asks you first, also where it usually does not.

    It is a new run: services see new idempotency keys, so a step that succeeded before and is done anew happens twice.

    \b
    Examples:
      aie runs rerun 3fk2
      aie runs rerun 3fk2 --from pay --set event.data.amount=20
    """
    if since is not None and from_start:
        raise WrongUseError("--from and --from-start do not go together", where="--from", hint="give one of them")
    row = one_run(read_history(load_config(vault)), run)
    values = dict(_change(text) for text in changes)
    return wait_for(_rerun(row, "action_0" if from_start else since, current, values, vault, output))


def _change(text: str) -> tuple[str, Json]:
    path, equals, value = text.partition("=")
    if not equals:
        raise WrongUseError(f"{text!r} is not PATH=VALUE", where="--set", hint="for example event.data.amount=20")
    try:
        return path, parse_json(value)
    except EventError:
        return path, value


async def _rerun(
    row: RunRow, since: str | None, current: bool, changes: dict[str, Json], vault: Path | None, output: Output
) -> int:
    async with open_vault(vault) as orchestrator:
        answer, after = await orchestrator.rerun(row.seq, by=person(), since=since, current=current, changes=changes)
        await orchestrator.settle()
        history, now = orchestrator.history, orchestrator.history.run(answer["seq"])
        output.record({**run_record(now), "rerun": rerun_record(history.rerun(now.seq)), "reused": answer["reused"]})
        output.line(f"{now.run_id}  {words_for(history, now, orchestrator.config.timezone)}")
        if now.hash != row.hash:
            output.line("  with the workflow as it is now, which is not as it was")
        output.line(f"  reused: {', '.join(answer['reused']) or 'nothing'}")
        output.line(f"  All about it: aie runs show {now.run_id}")
    return 1 if after.status is RunStatus.FAILED else 0
