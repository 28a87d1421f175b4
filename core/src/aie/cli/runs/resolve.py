"""``aie runs resolve``: a person says what became of an uncertain step."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.output import Output, WrongUseError, common_options
from aie.cli.run_views import one_run, run_record, steps_of, words_for
from aie.cli.terminal import person
from aie.cli.vaults import load_config, open_vault, read_history, wait_for
from aie.plain import Json, parse_json
from aie.rows import RunRow
from aie.run import RunStatus


@click.command("resolve")
@click.argument("run", metavar="RUN")
@click.argument("step", metavar="STEP")
@click.option(
    "--happened/--repeat", "happened", default=None, help="It happened; or it did not, and is to be done again."
)
@click.option("--result", metavar="JSON", help="What it gave, for later steps; with --happened.")
@common_options
def resolve_step(
    run: str, step: str, happened: bool | None, result: str | None, vault: Path | None, output: Output
) -> int:
    """Say whether an uncertain step happened; the run then goes on.

    A step is uncertain when aie was cut off, or the answer lost, after an action may have reached outside. Look at the
    service first: --repeat does it again.
    """
    if happened is None:
        raise WrongUseError("did it happen or not?", where=step, hint="give --happened or --repeat")
    if result is not None and not happened:
        raise WrongUseError("what is repeated gives its own result", where="--result", hint="leave it out")
    history = read_history(load_config(vault))
    row = one_run(history, run)
    assert history is not None
    names = [step_id for step_id, _ in steps_of(history, row)]
    if step not in names:
        raise WrongUseError(f"{row.run_id} has no step {step!r}", where="STEP", hint=f"its steps: {', '.join(names)}")
    given = None if result is None else parse_json(result, where="--result")
    return wait_for(_resolve(row, names.index(step), happened, given, vault, output))


async def _resolve(row: RunRow, position: int, happened: bool, result: Json, vault: Path | None, output: Output) -> int:
    async with open_vault(vault) as orchestrator:
        after = await orchestrator.resolve(row.seq, position, happened=happened, result=result, by=person())
        await orchestrator.settle()
        now = orchestrator.history.run(row.seq)
        output.record(run_record(now))
        output.line(f"{now.run_id}  {words_for(orchestrator.history, now, orchestrator.config.timezone)}")
    return 1 if after.status is RunStatus.FAILED else 0
