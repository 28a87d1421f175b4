"""The commands of the pages, run as they stand, in an empty folder or in the one that the page is about."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.pages import DOCS, ROOT, blocks, run
from tests.plugin_dists import write_dist

RUN = {"always-on.md", "approvals.md", "get-started.md", "moving.md", "operating.md"}
RUN_ELSEWHERE = {
    "plugins.md",  # tests/test_docs_plugins.py
    "writing-a-plugin.md",  # tests/together/test_tutorial.py
}


def test_every_page_with_commands_is_run_by_a_test() -> None:
    with_commands = {path.name for path in DOCS if any(block.language == "console" for block in blocks(path))}
    assert with_commands == RUN | RUN_ELSEWHERE


def test_the_tour_in_the_readme_works_in_an_empty_folder(tmp_path: Path) -> None:
    out = run(ROOT / "README.md", tmp_path)
    vault = tmp_path / "my-vault"
    assert [path.name.split("_")[0] for path in (vault / "Done").iterdir()] == ["APPROVAL"]
    assert out.rstrip().splitlines()[-2:] == ["['expense_approval']", "2"]


def test_the_first_steps_work_in_an_empty_folder(tmp_path: Path) -> None:
    out = run(ROOT / "docs" / "get-started.md", tmp_path)
    assert "Dry run: nothing is done, and nothing is recorded." in out
    event, answer = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert (event["source"], event["event_id"], event["new"]) == ("my-script", "17", True)
    assert (answer["workflow_id"], answer["status"]) == ("expense_approval", "asking")


def test_the_page_for_operators_works_in_an_empty_folder(tmp_path: Path) -> None:
    out = run(ROOT / "docs" / "operating.md", tmp_path)
    vault = tmp_path / "shop"
    assert (vault / "Expenses" / "travel" / "Train.md").read_text() == "250 EUR"
    assert (vault / "Expenses" / "Hotel.md").read_text() == "180 EUR"
    assert len(list((vault / "Inbox").glob("FAILURE_*"))) == 1
    for said in (
        "# expense_file failed at file",
        "reused: ask",
        "expense_file: not started; its condition is false\n    event.data.amount > 100   is false\n",
        "has the workflow as it is now: waits for you",
    ):
        assert said in out, out


def test_a_backup_is_whole_where_it_is_restored(tmp_path: Path) -> None:
    out = run(ROOT / "docs" / "always-on.md", tmp_path)
    assert "journal: whole, 4 records\nLogs/audit: whole, 4 records\n" in out
    assert "request_approval: Expense Laptop: 750.00" in out
    assert (tmp_path / "backup" / "state" / "journal.db").is_file()
    assert [path.name.split("_")[0] for path in (tmp_path / "restored" / "Pending_Approval").glob("*_*")] == [
        "APPROVAL"
    ]


def test_a_vault_of_the_original_system_is_adopted_and_goes_on(tmp_path: Path) -> None:
    vault = tmp_path / "my-vault"
    original = vault / "integrations" / "workflows"
    shutil.copytree(ROOT / "tests" / "original" / "workflows", original)
    before = {path.name: path.read_bytes() for path in original.iterdir()}
    left = vault / "Pending_Approval" / "EMAIL_20260209_183000.md"
    left.parent.mkdir()
    left.write_text("# Email Draft\n", encoding="utf-8")

    out = run(ROOT / "docs" / "moving.md", tmp_path)

    assert "['expense_approval']\n" in out
    assert "expense_approval: 1\n" in out
    assert "it is never executed" in " ".join(out.split())
    assert "journal: whole" in out
    assert {path.name: path.read_bytes() for path in original.iterdir()} == before
    assert left.read_text(encoding="utf-8") == "# Email Draft\n"
    assert list((vault / "workflows").iterdir()) == []


OUTBOX = """
    import json
    import os

    from pydantic import BaseModel

    from aie.actions import ActionHandler
    from aie.hookspecs import hookimpl


    class SendEmail(BaseModel):
        to: str
        subject: str
        body: str


    async def send(params, context):
        with open(os.environ["OUTBOX"], "a") as file:
            file.write(json.dumps(params.model_dump()) + "\\n")


    @hookimpl
    def aie_action_handlers(settings):
        return [
            ActionHandler("send_email", SendEmail, send, note_kind="EMAIL", title_field="subject", body_field="body")
        ]
"""


def test_an_edit_in_a_note_that_was_moved_while_aie_was_off_is_what_leaves_the_house_once(tmp_path: Path) -> None:
    write_dist(tmp_path / "site", "aie-outbox", OUTBOX)
    outbox = tmp_path / "outbox.jsonl"
    out = run(ROOT / "docs" / "approvals.md", tmp_path, PYTHONPATH=str(tmp_path / "site"), OUTBOX=str(outbox))
    assert [json.loads(line) for line in outbox.read_text().splitlines()] == [
        {
            "to": "kim@example.com",
            "subject": "Thank you",
            "body": "Dear Kim,\n\nthank you for your order. It leaves today.",
        }
    ]
    (note,) = (tmp_path / "shop" / "Done").iterdir()
    assert "- Changed before: body, from “Dear Kim, thank you for your order.” to “" in note.read_text()
    for said in ("approved by vault", "Approval approved: Thank you, by vault (vault.notes), changed before: body"):
        assert said in out, out
