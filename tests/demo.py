"""``make demo``: the main job, start to end, through the command line, in a vault that is thrown away."""

from __future__ import annotations

import contextlib
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

from aie.history import History
from aie.journal_file import look
from tests.demo_services import Services, meeting_mail, post_entry, services

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
        self.state = folder / "state"
        self.env = {
            **os.environ,
            "AIE_STATE_DIR": str(self.state),
            "AIE_TIMEZONE": "Europe/Berlin",
            "AIE_KEYRING": "off",
        }
        self.env.pop("AIE_VAULT", None)
        self.started: subprocess.Popen[str] | None = None

    def aie(self, *words: str, show: bool = True, typed: str = "") -> str:
        """Run a command and show it with what it said."""
        if show:
            print(f"\n$ aie {' '.join(words)}", flush=True)
        found = subprocess.run(
            [sys.executable, "-m", "aie", *words],
            cwd=self.vault,
            env=self.env,
            input=typed,
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
        self.wait_for(lambda: "Ctrl-C stops it." in self.start_log(), "aie start to be ready")
        self.wait_for(self.has_looked, "the first look into the folders, which is at what is there already")

    def has_looked(self) -> bool:
        with contextlib.closing(look(self.state / "journal.db")) as journal:
            return History(journal).cursor("source:vault.files") is not None

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

    def request(self, kind: str) -> Path:
        """The note of the one request of this kind that waits."""
        self.wait_for(lambda: self.notes("Pending_Approval", f"{kind}_*.md"), f"the request {kind}")
        return self.notes("Pending_Approval", f"{kind}_*.md")[0]

    def approve(self, note: Path) -> None:
        """Move the note, as a person would, and see it filed."""
        print(f"\n$ mv Pending_Approval/{note.name} Approved/")
        note.rename(self.vault / "Approved" / note.name)
        self.wait_for(lambda: self.notes("Done", note.name), "the decision to be carried out")
        filed = (self.vault / "Done" / note.name).read_text(encoding="utf-8")
        if "\naie_status: done\n" not in filed:
            raise SystemExit(f"it was not carried out:\n{filed}\n{self.start_log()}")
        print(f"\nTaken up, carried out, and filed: Done/{note.name}")

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
        with services() as stand_ins:
            play(demo, stand_ins)
    finally:
        demo.stop()
        shutil.rmtree(folder, ignore_errors=True)


def play(demo: Demo, stand_ins: Services) -> None:
    vault = demo.vault
    title("1. A vault, and one more workflow of our own")
    demo.aie("init", ".")
    (vault / "workflows" / "file_intake.json").write_text(json.dumps(INTAKE, indent=2), encoding="utf-8")
    demo.aie("workflows", "list")
    print("\nMail and LinkedIn are small servers on this machine that speak as the real ones do.")
    with (vault / "aie.toml").open("a", encoding="utf-8") as file:
        file.write(stand_ins.settings())
    stand_ins.remember_consent(demo.state / "credentials")
    demo.aie("connect", "linkedin", "--set", "how=token", "--set", "client_id=", typed=f"{stand_ins.token}\n")
    demo.aie("connect")

    title("2. aie watches")
    demo.start()
    print(demo.start_log().rstrip())

    title("3. A file is dropped into the inbox")
    (vault / "Inbox" / "contract.pdf").write_bytes(b"%PDF-1.7 a contract\n")
    demo.wait_for(lambda: demo.notes("Inbox", "NOTIFICATION_*contract*"), "the notification about the file")
    show_note(demo.notes("Inbox", "NOTIFICATION_*contract*")[0], vault)

    title("4. An expense of 750 is recorded: it needs a person")
    demo.aie("emit", "expense_recorded", "name=Laptop", "amount=750", "date=2026-02-09", "--id", "expense-1")
    note = demo.request("APPROVAL")
    show_note(note, vault)
    for path in demo.notes("Inbox", "NOTIFICATION_*large*"):
        show_note(path, vault)

    title("5. The person says yes: the note is moved to Approved/")
    demo.approve(note)

    correspond(demo, stand_ins)

    title("9. The morning routine, as the clock would start it at 08:00")
    demo.aie("emit", "scheduled_trigger", "trigger_time=08:00", "date=2026-02-09", "pending_count=0")
    for path in demo.notes("Inbox", "MORNING_BRIEFING_*"):
        show_note(path, vault)

    title("10. What is on record")
    demo.aie("runs", "list")
    run = json.loads(demo.aie("runs", "list", "--workflow", "expense_approval", "--json", show=False).splitlines()[0])
    demo.aie("runs", "show", run["run_id"])
    demo.aie("audit", "verify")
    print("\n$ tail -n 5 Logs/integrations.log")
    print("\n".join((vault / "Logs" / "integrations.log").read_text(encoding="utf-8").splitlines()[-5:]))

    title("11. And aie start said meanwhile")
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


def correspond(demo: Demo, stand_ins: Services) -> None:
    """What comes in by mail and calendar, and what leaves the house."""
    vault = demo.vault
    title("6. A mail comes in: a meeting tomorrow at 2pm")
    demo.wait_for(lambda: "GET /profile" in stand_ins.gmail.calls, "the first look into the mailbox")
    demo.wait_for(lambda: any(call.startswith("GET /history") for call in stand_ins.gmail.calls), "aie to watch it")
    stand_ins.gmail.deliver(meeting_mail())
    note = demo.request("CALENDAR")
    show_note(note, vault)
    demo.approve(note)
    (entry,) = (vault / "Calendar").glob("*.ics")
    print(f"\n--- Calendar/{entry.name}")
    print("\n".join(f"  | {line}" for line in entry.read_text(encoding="utf-8").splitlines()))

    title("7. An invoice: the mail to the customer is drafted, changed in its note, and sent")
    demo.aie("emit", "invoice_created", "invoice_number=INV-2026-001", "amount=500", "customer_id=7",
             "customer_email=kim@example.com")  # fmt: skip
    note = demo.request("EMAIL")
    text = note.read_text(encoding="utf-8")
    note.write_text(text.replace("Good day,", "Dear Kim,", 1), encoding="utf-8")
    print('\nIn the note, "Good day," was changed to "Dear Kim,".')
    demo.approve(note)
    (mail,) = stand_ins.gmail.sent
    body = mail.get_body(("plain",))
    print(f"\n--- The mail server has\n  | To: {mail['To']}\n  | Subject: {mail['Subject']}\n  |")
    print("\n".join(f"  | {line}" for line in (body.get_content() if body else "").splitlines()))

    title("8. A calendar entry becomes a post, once its time has come and its draft was approved")
    text = "From March on we open at 8 (also on Sundays). #bakery"
    (vault / "Calendar" / "opening.ics").write_text(post_entry(text, in_s=3), encoding="utf-8", newline="")
    note = demo.request("LINKEDIN_POST")
    show_note(note, vault)
    demo.approve(note)
    print(f"\n--- LinkedIn has\n  | {stand_ins.linkedin.texts[0]}")


if __name__ == "__main__":
    main()
