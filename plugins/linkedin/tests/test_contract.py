"""The plugin keeps the contract of plugins, against the local LinkedIn."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import Any

from aie.testing import Home, contract, silent_port
from plugins.linkedin.tests.conftest import OWNER
from plugins.linkedin.tests.linkedin_server import MEMBER, PAGE, TOKEN, LinkedinServer


def test_linkedin_keeps_the_contract_of_plugins(linkedin: LinkedinServer) -> None:
    linkedin.scopes |= {"r_organization_social", "w_organization_social", "r_member_social"}

    def state() -> dict[str, Any]:
        return {"posts": [post.urn for post in linkedin.posts], "comments": list(linkedin.comments)}

    numbers = itertools.count(1)  # LinkedIn takes no text twice

    def a_post(home: Home) -> dict[str, Any]:
        return {"post": linkedin.publish(MEMBER, f"Open day {next(numbers)}").urn}

    report = contract(
        "linkedin",
        settings={**linkedin.settings, "organizations": [PAGE]},
        credentials={"access_token": TOKEN},
        prepare=lambda home: home.credentials("linkedin").save({}, OWNER),
        state=state,
        stalled=stalled,
        params={
            "post_to_linkedin": lambda home: {"content": f"Offer number {next(numbers)} of this week"},
            "comment_on_linkedin": lambda home: {**a_post(home), "text": "Thank you all for coming!"},
            "delete_linkedin_post": a_post,
        },
        news={
            "linkedin.scheduled": write_note,
            "linkedin.pages": lambda home: linkedin.publish(PAGE, "We are hiring"),
        },
    )
    assert [(check.name, check.subject, check.message) for check in report.not_tried] == []


def write_note(home: Home) -> None:
    folder = home.vault / "LinkedIn" / "Scheduled"
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "Spring hours.md"
    note.write_text("---\ndate: 2026-02-09\n---\nFrom March on we open at 8.\n", encoding="utf-8")
    before = home.clock.now().timestamp() - 3600
    os.utime(note, (before, before))


@contextlib.contextmanager
def stalled() -> Iterator[dict[str, str]]:
    with silent_port() as port:
        yield {"api_url": f"http://127.0.0.1:{port}", "oauth_url": f"http://127.0.0.1:{port}"}
