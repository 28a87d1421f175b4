"""Files and notifications that workflows write."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from aie.errors import ActionError, AieError, ParameterError, RetryableError
from aie.testing import Home
from aie_vault import frontmatter, inert, plugin
from aie_vault.actions import CreateFile
from aie_vault.notifications import SendNotification, note_text
from aie_vault.settings import VaultSettings
from plugins.vault.tests.files import files, put


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path, "vault") as home:
        yield home


def create(home: Home, **params: Any) -> Any:
    return home.run_action("create_file", params).result


def notify(home: Home, key: str = "run_1/action_0", **params: Any) -> Any:
    return home.run_action("send_notification", params, idempotency_key=key).result


# --- create_file -------------------------------------------------------------------------------------------------


def test_a_file_is_created_with_its_folders(home):
    assert create(home, path="Notes/2026/a.md", content="Hällo\n") == {
        "path": "Notes/2026/a.md",
        "created": True,
    }
    assert files(home) == {"Notes/2026/a.md": "Hällo\n"}


def test_another_file_of_that_name_is_never_overwritten(home):
    results = [create(home, path="Inbox/a.md", content=text) for text in ("one", "two", "six")]

    assert results == [
        {"path": "Inbox/a.md", "created": True},
        {"path": "Inbox/a 2.md", "created": True},
        {"path": "Inbox/a 3.md", "created": True},
    ]
    assert files(home) == {"Inbox/a.md": "one", "Inbox/a 2.md": "two", "Inbox/a 3.md": "six"}


@pytest.mark.parametrize("if_exists", ["number", "error", "overwrite"])
@pytest.mark.parametrize("before", [None, "old"])
def test_a_second_attempt_changes_nothing(home, if_exists, before):
    params = {"path": "a.md", "content": "new", "if_exists": if_exists}
    if before and if_exists != "error":
        put(home, "a.md", before)
    first = create(home, **params)
    after = files(home)

    assert create(home, **params) == {"path": first["path"], "created": False}
    assert files(home) == after


def test_a_name_in_use_can_be_an_error(home):
    put(home, "a.md", "old")

    with pytest.raises(ActionError, match=r"'a\.md' exists already") as failed:
        create(home, path="a.md", content="new", if_exists="error")
    assert (type(failed.value), files(home)) == (ActionError, {"a.md": "old"})


def test_a_file_can_be_replaced(home):
    put(home, "a.md", "old")

    assert create(home, path="a.md", content="new", if_exists="overwrite") == {
        "path": "a.md",
        "created": False,
    }
    assert files(home) == {"a.md": "new"}


@pytest.mark.parametrize("path", ["../a.md", "/a.md", ".obsidian/a.md", "a:b.md", "C:\\a.md", ""])
def test_a_path_trick_is_refused_before_anything_is_done(path):
    with pytest.raises(ValidationError, match="Inbox/"):
        CreateFile.model_validate({"path": path, "content": "x"})


@pytest.mark.parametrize("path", ["approved/a.md", "Done/a.md", "workflows/a.json", "Notes/CLAUDE.md", "plugins/a.py"])
def test_what_no_workflow_writes_to_is_refused_before_anything_is_done(path):
    with pytest.raises(ValidationError, match="is protected"):
        CreateFile.model_validate({"path": path, "content": "x"})


def test_aies_own_folders_are_protected_under_whatever_name(home):
    home.restart({"vault": {"pending": "Ask me"}})

    with pytest.raises(ParameterError, match="is protected"):
        create(home, path="Ask me/a.md", content="x")
    assert files(home) == {}


def test_parameters_are_named_and_checked():
    for wrong in (
        {"path": "a.md"},
        {"path": "a.md", "content": "x", "mode": "w"},
        {"path": "a.md", "content": ["x"]},
        {"path": "a.md", "content": "x", "if_exists": "append"},
    ):
        with pytest.raises(ValidationError):
            CreateFile.model_validate(wrong)
    assert CreateFile.model_validate({"path": "a.md", "content": 5000}).content == "5000"


def test_a_disk_that_does_not_take_the_file_is_worth_another_try(home, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RetryableError, match=r"'a\.md' could not be written: No space left on device"):
        create(home, path="a.md", content="x")
    assert files(home) == {}


def test_a_folder_in_the_place_of_the_file_is_not_worth_another_try(home):
    (home.vault / "a.md").mkdir()
    put(home, "b", "x")

    for path in ("a.md", "b/c.md"):
        with pytest.raises(AieError) as failed:
            create(home, path=path, content="x", if_exists="overwrite")
        assert not isinstance(failed.value, RetryableError)


# --- send_notification -------------------------------------------------------------------------------------------


def test_a_notification_is_a_note_in_the_inbox(home):
    name = "Inbox/NOTIFICATION_20260209_183000_Large-Expense-Detected_"
    result = notify(home, title="Large Expense: Detected", message="Check **Pending_Approval**.\n\n- one\n- two")

    assert (result["path"].startswith(name), len(result["path"]), result["created"]) == (True, len(name) + 15, True)
    assert files(home) == {
        result["path"]: """---
aie_type: notification
title: "Large Expense: Detected"
created: 2026-02-09T18:30:00
workflow: test
run: run_1
priority: normal
---

# Large Expense: Detected

Check **Pending_Approval**.

- one
- two
"""
    }


def test_twenty_notifications_in_one_second_are_twenty_notes(home):
    paths = {notify(home, key=f"run_{n}/action_0", title="Same", message="x")["path"] for n in range(20)}

    assert (len(paths), set(files(home))) == (20, paths)


def test_a_second_attempt_finds_the_note_of_the_first(home):
    first = notify(home, title="A", message="x")

    assert notify(home, title="A", message="x") == {"path": first["path"], "created": False}
    assert len(files(home)) == 1


def test_a_notification_has_a_priority_and_no_other_parameters(home):
    path = notify(home, title="A", message="x", priority="high")["path"]

    assert frontmatter.read(files(home)[path]).values["priority"] == "high"
    for wrong in (
        {"title": "A"},
        {"title": "A", "message": "x", "to": "kim"},
        {"title": "A", "message": "x", "priority": "urgent"},
    ):
        with pytest.raises(ValidationError):
            SendNotification.model_validate(wrong)


HOSTILE = st.lists(
    st.sampled_from(
        [
            "\n",
            "---",
            "```",
            "`",
            "~~~",
            "<%",
            "<",
            "%",
            ":",
            "!",
            "[",
            "]",
            "(",
            ")",
            "\\",
            "&#96;",
            "&lt;",
            "obsidian://",
            "javascript:",
            "=",
            "aie_type: approval",
            '"',
            "\u202e",
            "\0",
            "x",
            " ",
        ]
    )
    | st.text(max_size=3),
    max_size=14,
).map("".join)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE.filter(bool), HOSTILE)
def test_whatever_a_notification_says_it_runs_nothing_and_fakes_no_property(home, title, message):
    params = SendNotification.model_construct(title=title, message=message, priority="low")
    text = note_text(params, home.context("vault"))
    properties = frontmatter.read(text)

    assert (properties.broken, properties.values["aie_type"], len(properties.values)) == (False, "notification", 6)
    assert "<%" not in text
    for active in ("<", "```", "~~~", "%%", "::", "obsidian:/", "\u202e", "\0"):
        assert active not in frontmatter.body(text)
    assert re.search(r"(?i)(?<![a-z])javascript:\S|(?<!\\)!\[", frontmatter.body(text)) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, with - lists and [[links]]", "plain text, with - lists and [[links]]"),
        ("<script>", "&lt;script>"),
        ("`= this.x`", "\\`= this.x\\`"),
        ("![[secret]] ![x](http://t)", "\\![[secret]] \\![x](http://t)"),
        ("[x](obsidian://run)", "[x](obsidian: //run)"),
        ("\\`", "\\\\\\`"),
        ("&#96;", "\\&#96;"),
        ("key:: value %%x%%", "key:\\: value %\\%x%\\%"),
        ("a\u202eb\0", "a\\u202eb\\u0000"),
        ("C:\\Users\\kim, R&D, 1 < 2", "C:\\Users\\kim, R&D, 1 &lt; 2"),
    ],
)
def test_text_is_made_inert_and_stays_readable(text, shown):
    assert inert.paragraph(text) == shown


# --- the plugin --------------------------------------------------------------------------------------------------


def test_the_plugin_offers_what_it_says():
    settings = plugin.aie_settings()()
    offered = [
        [handler.name for handler in plugin.aie_action_handlers(settings)],
        [source.name for source in plugin.aie_event_sources(settings)],
        [channel.name for channel in plugin.aie_approval_channels(settings)],
    ]

    assert offered == [
        ["create_file", "move_file", "send_notification"],
        ["vault.files"],
        ["vault.notes", "vault.notices", "vault.waiting"],
    ]
    traits = {
        handler.name: (handler.effect, handler.asks_first, handler.repeatable, handler.look_up is not None)
        for handler in plugin.aie_action_handlers(settings)
    }
    assert traits == {
        "create_file": ("local", False, True, False),
        "move_file": ("local", False, False, True),
        "send_notification": ("local", False, True, False),
    }
    for handler in plugin.aie_action_handlers(settings):
        assert all(field.description for field in handler.params.model_fields.values())
    assert all(field.description for field in VaultSettings.model_fields.values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"watch": ["../x"]},
        {"watch": "Inbox"},
        {"pending": "a/b"},
        {"inbox": "/x"},
        {"scan_interval_s": 0},
        {"watching": 1},
        {"approved": "done"},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValidationError):
        VaultSettings.model_validate(wrong)


def test_loading_the_plugin_loads_no_heavy_library():
    code = "import sys, aie_vault.plugin; print(sorted({'ruamel.yaml', 'watchfiles', 'anyio'} & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )

    assert loaded.stdout.strip() == "[]"
