"""Puts events through one engine, many times as many as it is to keep, and shows that disk and memory level off.

    python -m tests.soak_growth --events 1000000 --keep 20000

It prints a line now and then, and ends with 1 when something goes on growing or was miscounted. What remains of an
event for ever, so that it is known when it comes again, is shown apart: some bytes for each.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from aie import AsyncOrchestrator, Event
from aie.audit import verify_lines
from aie.history import FILES_CURSOR
from aie.journal_file import log_bytes
from aie.past import Past
from tests.bench import on_aie, work
from tests.bench.child import OUTPUT
from tests.bench.load import rss_mb

LOOK_S = 0.2
STEADY = 1.2  # how many times as much the last third may take as the one before


@dataclass
class Line:
    """What there was at most, between one line and the next; MB but for the counts."""

    events: int = 0
    per_s: float = 0.0
    journal: float = 0.0
    known: float = 0.0  # of the journal, what remains for ever
    log: float = 0.0
    memory: float = 0.0
    runs: int = 0
    behind: int = 0  # audit records that Logs/audit does not have yet

    def text(self) -> str:
        return (
            f"{self.events:>9,} {self.per_s:>6,.0f} {self.journal:>9.1f} {self.known:>7.1f} {self.log:>6.1f}"
            f" {self.memory:>7.1f} {self.runs:>9,} {self.behind:>9,}"
        )


HEADER = (
    f"{'events':>9} {'per s':>6} {'journal':>9} {'known':>7} {'log':>6} {'memory':>7} {'runs kept':>9} {'behind':>9}"
)


@dataclass
class Soak:
    """One engine, and what is to be put through it."""

    orchestrator: AsyncOrchestrator
    events: int
    every: int
    in_flight: int
    done: int = 0
    peak: Line = field(default_factory=Line)
    lines: list[Line] = field(default_factory=list)

    async def run(self) -> None:
        assert self.orchestrator.engine is not None
        self.path = self.orchestrator.engine.journal.path
        self.past = Past(self.orchestrator.engine.journal.reader)
        looking = asyncio.create_task(self._look_on())
        try:
            events = self._all()
            await asyncio.gather(*(self._work(events) for _ in range(self.in_flight)))
        finally:
            looking.cancel()

    def _all(self) -> Iterator[Event]:
        self._began_s = time.monotonic()
        for number in range(self.events):
            yield on_aie.make_event(number)
            self.done = number + 1
            if self.done % self.every == 0:
                self._print()

    async def _work(self, events: Iterator[Event]) -> None:
        for event in events:
            result = await self.orchestrator.process_event(event)
            if [str(run.status) for run in result.runs] != ["succeeded"]:
                raise SystemExit(f"{event.event_id} ended otherwise: {result}")

    async def _look_on(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(LOOK_S)

    def _look(self) -> None:
        assert self.orchestrator.engine is not None
        delivered, peak = self.past.cursor(FILES_CURSOR), self.peak
        behind = self.orchestrator.engine.journal.audit_seq - (delivered if isinstance(delivered, int) else 0)
        peak.journal = max(peak.journal, self.path.stat().st_size / 1e6)
        peak.log = max(peak.log, log_bytes(self.path) / 1e6)
        peak.memory = max(peak.memory, rss_mb())
        peak.runs = max(peak.runs, self.past.runs_kept())
        peak.behind = max(peak.behind, behind)

    def _print(self) -> None:
        self._look()
        line, self.peak = self.peak, Line()
        line.events = self.done
        line.per_s = self.every / (time.monotonic() - self._began_s)
        line.known = self._bytes_known() / 1e6
        self._began_s = time.monotonic()
        self.lines.append(line)
        print(line.text(), flush=True)

    def _bytes_known(self) -> int:
        assert self.orchestrator.engine is not None
        sql = "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name = 'seen'"
        return int(self.orchestrator.engine.journal.reader.execute(sql).fetchall()[0][0])

    def wrong(self) -> list[str]:
        """What there is to complain about at the end."""
        found = []
        third = max(1, len(self.lines) // 3)
        before, last = self.lines[-2 * third : -third], self.lines[-third:]
        for name in ("journal", "log", "memory", "runs"):
            earlier, later = (max(_without_known(line, name) for line in part) for part in (before or last, last))
            if later > STEADY * earlier:
                found.append(f"{name} went on growing, from {earlier:,.1f} to {later:,.1f}")
        count = self.orchestrator.workflows()[work.WORKFLOW_ID].execution_count
        if count != self.events:
            found.append(f"the workflow ran {self.events:,} times, and the journal says {count:,}")
        for number in (0, self.events // 2, self.events - 1):
            if self.past.event_seq(work.SOURCE, work.event_id(number)) is None:
                found.append(f"event {number} would be taken for a new one")
        start = self.past.audit_start()
        records = self.past.audit(limit=10_000_000)
        return found + verify_lines(records, self.past.audit_head(), start=start)


def _without_known(line: Line, name: str) -> float:
    return float(getattr(line, name)) - (line.known if name == "journal" else 0.0)


async def soak(options: argparse.Namespace, folder: Path) -> int:
    settings = f"max_runs = {max(64, options.in_flight)}\n[retention]\nruns = {options.keep}\n"
    vault = work.make_vault(folder, work.WORKFLOW, settings=settings)
    print(f"{options.events:,} events, {options.in_flight} in flight, {options.keep:,} runs to keep; MB\n\n{HEADER}")
    async with AsyncOrchestrator(vault, plugins={"bench": on_aie.Actions()}, env={}) as orchestrator:
        orchestrator.serve()
        soak = Soak(orchestrator, options.events, options.every, options.in_flight)
        await soak.run()
        wrong = soak.wrong()
    audit_mb = sum(path.stat().st_size for path in (vault / "Logs" / "audit").iterdir()) / 1e6
    print(f"\nLogs/audit, which is kept: {audit_mb:,.0f} MB")
    print("\n".join(wrong) if wrong else "All levels off; nothing was miscounted, and the audit chain is whole.")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak_growth")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--keep", type=int, default=20_000, help="runs")
    parser.add_argument("--every", type=int, default=50_000, help="events to a line")
    parser.add_argument("--in-flight", type=int, default=64)
    options = parser.parse_args()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="soak-", dir=OUTPUT) as folder:
        return asyncio.run(soak(options, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
