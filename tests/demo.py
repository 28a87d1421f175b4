"""``make demo``: the main job, start to end, through the command line, in a vault that is thrown away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

INTAKE = {
    "workflow_id": "file_intake",
    "name": "New file → word in the inbox",
    "trigger_event": "file_added",
    "trigger_condition": "event.data.extension == 'pdf'",
    "actions": [
        {
            "action_type": "send_notification",
            "parameters": {
                "title": "New file {{ event.data.file_name }}",
                "message": "{{ event.data.file_path }} arrived, {{ event.data.size_bytes }} bytes.",
            },
        }
    ],
}
WITHIN_S = 30.0


class Demo:
    """One vault, one running ``aie start``, and commands beside it."""

    def __init__(self, folder: Path) -> None:
        self.vault = folder / "vault"
        self.env = {**os.environ, "AIE_STATE_DIR": str(folder / "state"), "AIE_TIMEZONE": "Europe/Berlin"}
        self.env.pop("AIE_VAULT", None)
        self.started: subprocess.Popen[str] | None = None

    def aie(self, *words: str, show: bool = True) -> str:
        """Run a command and show it with what it said."""
        if show:
            print(f"\n$ aie {' '.join(words)}", flush=True)
        found = subprocess.run(
            [sys.executable, "-m", "aie", *words],
            cwd=self.vault,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        if show:
            print(found.stdout.rstrip() + found.stderr.rstrip(), flush=True)
        if found.returncode:
            raise SystemExit(f"aie {' '.join(words)} ended with {found.returncode}: {found.stdout}{found.stderr}")
        return found.stdout

    def start(self) -> None:
        print("\n$ aie start &", flush=True)
        log = (self.vault.parent / "start.log").open("w", encoding="utf-8")
        self.started = subprocess.Popen(
            [sys.executable, "-m", "aie", "start"], cwd=self.vault, env=self.env, stdout=log, stderr=log, text=True
        )
        self.wait_for(lambda: "Watching" in self.start_log() or "watching" in self.start_log(), "aie start to be ready")

    def start_log(self) -> str:
        return (self.vault.parent / "start.log").read_text(encoding="utf-8")

    def stop(self) -> None:
        if self.started is not None:
            self.started.send_signal(signal.SIGTERM)
            self.started.wait(timeout=20)

    def wait_for(self, seen: Callable[[], object], what: str) -> None:
        until = time.monotonic() + WITHIN_S
        while not seen():
            if time.monotonic() > until:
                raise SystemExit(f"waited {WITHIN_S:g} s in vain for {what}\n{self.start_log()}")
            time.sleep(0.05)

    def notes(self, folder: str, pattern: str) -> list[Path]:
        return sorted((self.vault / folder).glob(pattern))


def title(text: str) -> None:
    print(f"\n\n=== {text} {'=' * max(0, 74 - len(text))}", flush=True)


def show_note(path: Path, vault: Path) -> None:
    print(f"\n--- {path.relative_to(vault)}")
    for line in path.read_text(encoding="utf-8").rstrip().splitlines():
        print(f"  | {line}")


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="aie-demo-"))
    demo = Demo(folder)
    demo.vault.mkdir()
    try:
        play(demo)
    finally:
        demo.stop()
        shutil.rmtree(folder, ignore_errors=True)


def play(demo: Demo) -> None:
    vault = demo.vault
    title("1. A vault, and one more workflow of our own")
    demo.aie("init", ".")
    (vault / "workflows" / "file_intake.json").write_text(json.dumps(INTAKE, indent=2), encoding="utf-8")
    demo.aie("workflows", "list")

    title("2. aie watches")
    demo.start()
    print(demo.start_log().rstrip())

    title("3. A file is dropped into the inbox")
    (vault / "Inbox" / "contract.pdf").write_bytes(b"%PDF-1.7 a contract\n")
    demo.wait_for(lambda: demo.notes("Inbox", "NOTIFICATION_*contract*"), "the notification about the file")
    show_note(demo.notes("Inbox", "NOTIFICATION_*contract*")[0], vault)

    title("4. An expense of 750 is recorded: it needs a person")
    demo.aie("emit", "expense_recorded", "name=Laptop", "amount=750", "date=2026-02-09", "--id", "expense-1")
    demo.wait_for(lambda: demo.notes("Pending_Approval", "APPROVAL_*.md"), "the request for approval")
    note = demo.notes("Pending_Approval", "APPROVAL_*.md")[0]
    show_note(note, vault)
    for path in demo.notes("Inbox", "NOTIFICATION_*large*"):
        show_note(path, vault)

    title("5. The person says yes: the note is moved to Approved/")
    print(f"\n$ mv Pending_Approval/{note.name} Approved/")
    note.rename(vault / "Approved" / note.name)
    demo.wait_for(lambda: demo.notes("Done", note.name), "the decision to be taken up")
    print("\nTaken up, carried out, and filed:", (vault / "Done" / note.name).relative_to(vault))

    title("6. The morning routine, as the clock would start it at 08:00")
    demo.aie("emit", "scheduled_trigger", "trigger_time=08:00", "date=2026-02-09", "pending_count=0")
    for path in demo.notes("Inbox", "MORNING_BRIEFING_*"):
        show_note(path, vault)

    title("7. What is on record")
    demo.aie("runs", "list")
    run = json.loads(demo.aie("runs", "list", "--workflow", "expense_approval", "--json", show=False).splitlines()[0])
    demo.aie("runs", "show", run["run_id"])
    demo.aie("audit", "verify")
    print("\n$ tail -n 5 Logs/integrations.log")
    print("\n".join((vault / "Logs" / "integrations.log").read_text(encoding="utf-8").splitlines()[-5:]))

    title("8. And aie start said meanwhile")
    demo.stop()
    print(demo.start_log().rstrip())

    title("Your turn")
    print(
        "\nNext, in a vault of your own (an empty folder will do):\n\n"
        "  . .venv/bin/activate\n"
        "  aie init ~/my-vault && cd ~/my-vault\n"
        "  aie start\n\n"
        "The five-minute tour in README.md takes it from there."
    )


if __name__ == "__main__":
    main()
