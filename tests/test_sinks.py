"""The audit chain, and the sinks that put it on the disk."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aie.audit import GENESIS, REDACTED, audit_line, redact, seal, verify_lines
from aie.builtin import aie_audit_sinks, audit_files
from aie.builtin.audit_files import AuditFiles
from aie.builtin.log_lines import log_line
from aie.builtin.settings import CoreSettings
from aie.builtin.sinks import LogFile, audit_file, log_file
from aie.errors import AieError
from aie.plain import dumps
from aie.records import AuditRecord, SinkContext

BERLIN = ZoneInfo("Europe/Berlin")


def fields(action: str = "action_execution", **more: object) -> dict:
    return {
        "timestamp": "2026-02-09T17:30:00.250000+00:00",
        "session_id": "ses_1",
        "actor": "engine",
        "action": action,
        "target": "send_email",
        "status": "success",
        "approval_status": None,
        "details": {},
        "error": None,
        "duration_ms": 12,
        "security_level": "normal",
        "run_id": "run_1",
        "step_id": "action_0",
        **more,
    }


def chain(count: int, first: int = 1, prev: str = GENESIS, **more: object) -> list[AuditRecord]:
    records = []
    for seq in range(first, first + count):
        records.append(seal(fields(target=f"target {seq} ü", **more), seq, prev))
        prev = records[-1].hash
    return records


def lines_of(records: list[AuditRecord]) -> str:
    return "".join(audit_line(record) + "\n" for record in records)


def context(vault: Path) -> SinkContext:
    return SinkContext(settings=CoreSettings(), vault=vault, timezone=BERLIN, log=logging.getLogger("test.sinks"))


# --- the chain --------------------------------------------------------------------------------------------------------


def test_a_record_is_sealed_over_its_canonical_text_and_the_hash_before_it():
    record = seal({"b": 1, "a": "ü"}, 1, GENESIS)
    assert record == AuditRecord(
        seq=1,
        fields={"b": 1, "a": "ü"},
        text='{"a":"ü","b":1,"seq":1}',
        prev="0" * 64,
        hash="249ba023a7e0171ed281bbc9e973e546d8a595481120b04936ac2cc581590ef3",
    )


def test_half_a_surrogate_pair_from_a_file_name_does_not_stop_the_record():
    assert dumps({"error": "no file 'a\udcff'"}) == '{"error":"no file \'a?\'"}'
    assert verify_lines([seal({"error": "\ud800"}, 1, GENESIS)]) == []


def test_an_untouched_chain_has_no_problems(tmp_path):
    records = chain(30)
    (tmp_path / "2026-02-09.jsonl").write_text(lines_of(records[:10]), encoding="utf-8")
    (tmp_path / "2026-02-10.jsonl").write_text(lines_of(records[10:]), encoding="utf-8")
    head = (30, records[-1].hash)
    assert verify_lines([tmp_path], head) == []
    assert verify_lines(sorted(tmp_path.iterdir()), head) == []
    assert verify_lines(records, head) == []


def test_records_that_a_clock_set_back_put_into_an_earlier_file_are_no_problem(tmp_path):
    records = chain(30)
    (tmp_path / "2026-02-09.jsonl").write_text(lines_of(records[:10] + records[20:]), encoding="utf-8")
    (tmp_path / "2026-02-10.jsonl").write_text(lines_of(records[10:20]), encoding="utf-8")
    assert verify_lines([tmp_path], (30, records[-1].hash)) == []


def test_a_chain_whose_beginning_was_deleted_on_purpose_is_checked_from_there():
    records = chain(30)
    assert verify_lines(records[10:], start=(11, records[9].hash)) == []
    assert verify_lines(records[10:]) == ["records 1 to 10 are missing, before journal, record 11"]


def _edited(lines: list[str]) -> list[str]:
    return [*lines[:4], lines[4].replace('"status":"success"', '"status":"failed"'), *lines[5:]]


def _resealed(lines: list[str]) -> list[str]:
    data = json.loads(lines[4])
    prev = data.pop("prev")
    data.pop("hash"), data.pop("seq")
    return [*lines[:4], audit_line(seal({**data, "status": "failed"}, 5, prev)), *lines[5:]]


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (_edited, ["day.jsonl line 5: record 5 was changed: its hash does not fit it"]),
        (
            _resealed,
            ["day.jsonl line 6: record 6 does not continue record 5: one of the two is not the original"],
        ),
        (lambda lines: lines[:4] + lines[5:], ["record 5 is missing, before day.jsonl line 5"]),
        (lambda lines: lines[:4] + lines[7:], ["records 5 to 7 are missing, before day.jsonl line 5"]),
        (
            lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
            ["day.jsonl line 6: record 5 stands after record 6: the order was changed"],
        ),
        (lambda lines: [*lines[:4], "a note", *lines[4:]], ["day.jsonl line 5: this is not a record that aie wrote"]),
        (lambda lines: [*lines[:5], lines[4], *lines[5:]], ["day.jsonl line 6: record 5 is there more than once"]),
        (
            lambda lines: [*lines[:4], lines[4].replace('{"action"', '{"action":"x","action"'), *lines[5:]],
            [
                "day.jsonl line 5: this is not a record that aie wrote",
                "record 5 is missing, before day.jsonl line 6",
            ],
        ),
        (
            lambda lines: lines[:7],
            ["records 8 to 10 are missing at the end: the journal's last record is 10"],
        ),
        (lambda lines: [], ["records 1 to 10 are missing at the end: the journal's last record is 10"]),
    ],
)
def test_whatever_was_done_to_a_file_is_found(tmp_path, change, problems):
    records = chain(10)
    lines = change(lines_of(records).splitlines())
    (tmp_path / "day.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    assert verify_lines([tmp_path / "day.jsonl"], (10, records[-1].hash)) == problems


def test_a_missing_file_is_named(tmp_path):
    records = chain(10)
    (tmp_path / "b.jsonl").write_text(lines_of(records[5:]), encoding="utf-8")
    assert verify_lines([tmp_path / "a.jsonl", tmp_path / "b.jsonl"]) == [
        "the audit file a.jsonl is missing",
        "records 1 to 5 are missing, before b.jsonl line 1",
    ]


def test_a_rewritten_chain_is_found_by_the_journals_head():
    forged = chain(10, status="failed")
    assert verify_lines(forged, (10, chain(10)[-1].hash)) == [
        "the last record, 10, is not the journal's: its hash is another"
    ]
    assert verify_lines(forged, (8, forged[7].hash)) == [
        "records 9 to 10 are not in the journal, whose last record is 8"
    ]


@settings(max_examples=60)
@given(st.data())
def test_no_single_byte_can_be_changed_unnoticed(tmp_path_factory, data):
    records = chain(3)
    content = bytearray(lines_of(records).encode())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("audit") / "day.jsonl"
    path.write_bytes(bytes(content))
    assert verify_lines([path], (3, records[-1].hash)) != []


# --- the audit files --------------------------------------------------------------------------------------------------


def test_records_go_into_a_file_per_day_in_utc(tmp_path):
    first = seal(fields(timestamp="2026-02-09T23:59:59+00:00"), 1, GENESIS)
    second = seal(fields(timestamp="2026-02-10T00:30:00+01:00"), 2, first.hash)
    third = seal(fields(timestamp="2026-02-10T00:00:01Z"), 3, second.hash)
    asyncio.run(_await(audit_file().write([first, second, third], context(tmp_path))))
    folder = tmp_path / "Logs" / "audit"
    assert {path.name: [json.loads(line) for line in path.read_text().splitlines()] for path in folder.iterdir()} == {
        "2026-02-09.jsonl": [
            {**record.fields, "seq": record.seq, "prev": record.prev, "hash": record.hash} for record in (first, second)
        ],
        "2026-02-10.jsonl": [{**third.fields, "seq": 3, "prev": third.prev, "hash": third.hash}],
    }
    assert verify_lines([folder], (3, third.hash)) == []


async def _await(written):
    await written


@pytest.mark.parametrize("restart", [True, False])
def test_a_batch_that_comes_again_is_not_written_twice(tmp_path, restart):
    records = chain(20)
    files = AuditFiles()
    files.write(records[:12], tmp_path)
    files = AuditFiles() if restart else files
    files.write(records[5:15], tmp_path)
    files.write(records[5:15], tmp_path)
    files.write(records[15:], tmp_path)
    assert (tmp_path / "2026-02-09.jsonl").read_text(encoding="utf-8") == lines_of(records)


def test_small_batches_that_come_again_are_not_written_twice(tmp_path):
    records = chain(12)
    AuditFiles().write(records[:10], tmp_path)
    files = AuditFiles()
    for start in range(0, 12, 2):
        files.write(records[start : start + 2], tmp_path)
    assert (tmp_path / "2026-02-09.jsonl").read_text(encoding="utf-8") == lines_of(records)


def test_what_is_longer_ago_than_one_block_is_found_too(tmp_path, monkeypatch):
    monkeypatch.setattr(audit_files, "_BLOCK", 700)
    records = chain(40)
    AuditFiles().write(records[:30], tmp_path)
    AuditFiles().write(records[3:], tmp_path)
    assert (tmp_path / "2026-02-09.jsonl").read_text(encoding="utf-8") == lines_of(records)


@settings(max_examples=80)
@given(st.integers(0, 6000), st.integers(0, 40), st.booleans())
def test_a_write_that_broke_off_anywhere_is_completed(tmp_path_factory, length, padding, small_batches):
    folder = tmp_path_factory.mktemp("audit")
    records = chain(12)
    whole = lines_of(records).encode()
    length = min(length, len(whole))
    torn = whole[:length]
    (folder / "2026-02-09.jsonl").write_bytes(torn + b"\0" * padding)
    files = AuditFiles()
    for batch in [records[i : i + 2] for i in range(0, 12, 2)] if small_batches else [records]:
        files.write(batch, folder)
    assert (folder / "2026-02-09.jsonl").read_bytes() == whole


def test_a_broken_line_that_is_no_records_beginning_is_left_for_the_check(tmp_path):
    records = chain(3)
    path = tmp_path / "2026-02-09.jsonl"
    path.write_text(lines_of(records[:1]) + "somebody's note", encoding="utf-8")
    AuditFiles().write(records[1:], tmp_path)
    assert verify_lines([path], (3, records[-1].hash)) == [
        "2026-02-09.jsonl line 2: this is not a record that aie wrote"
    ]


def test_a_line_with_a_great_number_does_not_keep_records_out(tmp_path):
    records = chain(3)
    path = tmp_path / "2026-02-09.jsonl"
    path.write_text('{"seq":1000000}\n', encoding="utf-8")
    AuditFiles().write(records, tmp_path)
    assert path.read_text(encoding="utf-8") == '{"seq":1000000}\n' + lines_of(records)


def test_the_logs_folder_may_vanish_between_two_batches(tmp_path):
    records = chain(4)
    audit, log = audit_file(), log_file()
    for batch in (records[:2], records[2:]):
        asyncio.run(_await(audit.write(batch, context(tmp_path))))
        asyncio.run(_await(log.write(batch, context(tmp_path))))
        written = (tmp_path / "Logs/audit/2026-02-09.jsonl").read_text(encoding="utf-8")
        assert written == lines_of(batch)
        assert len((tmp_path / "Logs/integrations.log").read_text(encoding="utf-8").splitlines()) == 2
        shutil.rmtree(tmp_path / "Logs")


def test_a_vault_that_is_not_there_is_not_made_up(tmp_path):
    vault = tmp_path / "unmounted"
    for sink in aie_audit_sinks(CoreSettings()):
        with pytest.raises(AieError, match="is not there"):
            asyncio.run(_await(sink.write(chain(1), context(vault))))
    assert not vault.exists()


def test_a_full_disk_raises_and_the_next_try_completes(tmp_path, monkeypatch):
    records = chain(6)
    files = AuditFiles()
    files.write(records[:2], tmp_path)
    real = os.write

    def full(descriptor, data):
        if len(data) < 300:
            raise OSError(28, "No space left on device")
        return real(descriptor, bytes(data[:300]))

    monkeypatch.setattr(audit_files.os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(records[2:], tmp_path)
    monkeypatch.setattr(audit_files.os, "write", real)
    files.write(records[2:], tmp_path)
    assert (tmp_path / "2026-02-09.jsonl").read_text(encoding="utf-8") == lines_of(records)


def test_no_files_are_written_when_logs_are_off():
    assert aie_audit_sinks(CoreSettings.model_validate({"logs": False})) == ()
    assert [sink.name for sink in aie_audit_sinks(CoreSettings())] == ["log_file", "audit_file"]


# --- the log ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (
            fields("event_received", target="invoice_created", details={"source": "odoo_mcp"}),
            "INFO - Processing event: invoice_created from odoo_mcp",
        ),
        (
            fields("workflow_started", target="invoice_to_email", details={"workflow_name": "Invoice → Email"}),
            "INFO - Triggering workflow: Invoice → Email",
        ),
        (
            fields("workflow_skipped", target="invoice_to_email", details={"reason": "its condition is false"}),
            "INFO - Not triggering workflow: invoice_to_email: its condition is false",
        ),
        (fields(), "INFO - Executing action: send_email"),
        (
            fields(status="skipped", details={"reason": "its condition is false"}),
            "INFO - Executing action: send_email (skipped): its condition is false",
        ),
        (
            fields(status="failed", error="there is no 'customer_email'", step_id="action_1"),
            "ERROR - Action action_1 failed: there is no 'customer_email'",
        ),
        (
            fields(status="retrying", error="no answer", step_id="action_1"),
            "WARNING - Action action_1 failed and will be tried again: no answer",
        ),
        (
            fields(status="uncertain", error="the answer was lost", step_id="action_1"),
            "ERROR - Action action_1 may have happened or not, and waits for a person: the answer was lost",
        ),
        (
            fields("approval_requested", details={"title": "Expense", "approval_id": "apr_1"}),
            "INFO - Approval requested: Expense (apr_1)",
        ),
        (
            fields(
                "approval_decided",
                target="apr_1",
                approval_status="rejected",
                details={"title": "Expense", "decided_by": "ada", "channel": "note"},
            ),
            "INFO - Approval rejected: Expense, by ada (note)",
        ),
        (
            fields("workflow_execution", target="invoice_to_email", details={"workflow_name": "Invoice → Email"}),
            "INFO - Workflow Invoice → Email completed successfully",
        ),
        (
            fields("workflow_execution", target="w", status="failed", error="step action_0 failed"),
            "ERROR - Workflow w failed: step action_0 failed",
        ),
        (fields("workflow_execution", target="w", status="cancelled"), "INFO - Workflow w cancelled"),
        (fields("plugin_loaded", target="vault"), "INFO - Plugin loaded: vault (success)"),
        ({"timestamp": "2026-02-09T17:30:00Z"}, "INFO - Record"),
    ],
)
def test_a_record_reads_as_a_line_for_a_person(record, line):
    assert log_line(record, BERLIN) == f"2026-02-09 18:30:00 - Orchestrator - {line}"


def test_nothing_in_a_record_can_forge_a_line_or_steer_a_terminal():
    hostile = "x\n2026-02-09 18:30:00 - Orchestrator - INFO - ok\r\x1b[2J\u202etxt.exe\u2028\x85\x7f\ttab"
    assert log_line(fields(target=hostile), BERLIN) == (
        "2026-02-09 18:30:00 - Orchestrator - INFO - Executing action: "
        "x\\n2026-02-09 18:30:00 - Orchestrator - INFO - ok\\r\\x1b[2J\\u202etxt.exe\\u2028\\x85\\x7f\\ttab"
    )


@given(st.dictionaries(st.sampled_from(sorted(fields())), st.text() | st.none() | st.integers()))
def test_any_record_makes_exactly_one_line(record):
    assert len(f"{log_line(record, BERLIN)}\n".splitlines()) == 1


def test_the_log_is_rotated_and_keeps_five_old_files(tmp_path):
    line = len(log_line(fields(), BERLIN)) + 1
    log = LogFile(max_bytes=line * 3)
    for seq in range(1, 25):
        log.write([seal(fields(details={"n": seq}), seq, GENESIS)], context(tmp_path))
    sizes = {path.name: path.stat().st_size // line for path in (tmp_path / "Logs").iterdir()}
    assert sizes == {"integrations.log": 3, **{f"integrations.log.{number}": 3 for number in range(1, 6)}}


def test_a_batch_larger_than_a_log_file_is_spread_over_several_in_order(tmp_path):
    log = LogFile(max_bytes=200)
    log.write([seal(fields(target=f"action_{seq}"), seq, GENESIS) for seq in range(10)], context(tmp_path))
    names = ["integrations.log.4", "integrations.log.3", "integrations.log.2", "integrations.log.1", "integrations.log"]
    text = "".join(path.read_text() for name in names if (path := tmp_path / "Logs" / name).exists())
    assert [line.rsplit("_", 1)[1] for line in text.splitlines()] == [str(seq) for seq in range(1, 10)]


def test_the_log_does_not_repeat_a_batch_that_comes_again(tmp_path):
    log, records = LogFile(), chain(3)
    log.write(records[:2], context(tmp_path))
    log.write(records, context(tmp_path))
    assert len((tmp_path / "Logs/integrations.log").read_text(encoding="utf-8").splitlines()) == 3


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_what_stands_under_a_telling_key_is_redacted_at_any_depth():
    value = {
        "to": "a@b.c",
        "password": "hunter2",
        "Authorization": {"scheme": "Basic"},
        "nested": [{"api-key": 7, "apiKey": "k", "refresh_token": ["a"], "n": 1.5}],
        "secret": None,
        "cookie": "",
        "use_token": True,
    }
    assert redact(value) == {
        "to": "a@b.c",
        "password": REDACTED,
        "Authorization": REDACTED,
        "nested": [{"api-key": REDACTED, "apiKey": REDACTED, "refresh_token": REDACTED, "n": 1.5}],
        "secret": None,
        "cookie": "",
        "use_token": True,
    }


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("sent Authorization: Bearer abcDEF123456._-= to it", f"sent Authorization: Bearer {REDACTED} to it"),
        ("Basic dXNlcjpwYXNzd29yZA==", f"Basic {REDACTED}"),
        (
            "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\nxyz\n-----END RSA PRIVATE KEY----- b",
            f"a {REDACTED} b",
        ),
        ("cut -----BEGIN PRIVATE KEY-----\nMIIE", f"cut {REDACTED}"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", REDACTED),
        ("key ghp_0123456789abcdefABCDEF0123", f"key {REDACTED}"),
        ("https://ada:hunter2@example.org/x", f"https://ada:{REDACTED}@example.org/x"),
        ("GET /x?access_token=abc123&page=2", f"GET /x?access_token={REDACTED}&page=2"),
    ],
)
def test_secrets_are_known_by_their_shape_in_any_text(text, clean):
    assert redact(text) == clean
    assert redact(clean) == clean
    assert redact({"error": [text]}) == {"error": [clean]}


def test_everything_else_stays_as_it_is():
    value = {
        "subject": "Basic income and the bearer of news",
        "url": "https://example.org/a?page=2",
        "n": [1, 2.5, None, True],
    }
    assert redact(value) is value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abcd"), inner),
    )
)
def test_data_without_secrets_comes_out_unchanged(value):
    assert redact(value) == value


def test_a_hostile_text_does_not_make_the_search_slow():
    for text in (
        "-----BEGIN " * 20_000,
        "eyJ" + "a." * 100_000,
        "://" + "a:" * 100_000,
        "?token" * 50_000,
        "sk-" * 50_000,
    ):
        redact(text)
