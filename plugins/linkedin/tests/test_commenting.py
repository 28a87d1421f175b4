"""Comments and deletions."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from aie.actions import LookUp
from aie.errors import ActionError, UncertainError
from aie.testing import Home
from aie_linkedin.commenting import CommentOnLinkedin, DeleteLinkedinPost
from aie_linkedin.urns import post_urn
from plugins.linkedin.tests.linkedin_server import MEMBER, LinkedinServer

POST = "urn:li:share:7141138937766391808"
LINK = f"https://www.linkedin.com/feed/update/{POST}"
THANKS = "Thank you (all) for coming! #bakery"
PARAMS = {"post": LINK, "text": THANKS}
COMMENT_ID = f"urn:li:comment:({POST},6000000000000000000)"
COMMENTED = {"comment_id": COMMENT_ID, "post_id": POST, "link": LINK}


@pytest.mark.parametrize(
    ("said", "urn"),
    [
        (POST, POST),
        (f"{LINK}/?utm=1", POST),
        ("https://www.linkedin.com/feed/update/urn%3Ali%3AugcPost%3A71/", "urn:li:ugcPost:71"),
        ("https://www.linkedin.com/posts/ada_bakery-activity-7141138-x1Y2?a=b", "urn:li:activity:7141138"),
    ],
)
def test_a_post_is_named_by_its_urn_or_any_link_to_it(said: str, urn: str) -> None:
    assert post_urn(said) == urn


def test_something_else_names_no_post() -> None:
    with pytest.raises(ValidationError, match="write a post's URN"):
        DeleteLinkedinPost(post="https://example.com/71")


def test_a_comment_is_plain_text_with_nothing_escaped(home: Home, linkedin: LinkedinServer) -> None:
    assert home.run_action("comment_on_linkedin", PARAMS).result == COMMENTED
    assert linkedin.comments == [
        {"actor": MEMBER, "object": POST, "message": {"text": THANKS}, "commentUrn": COMMENT_ID}
    ]


def test_too_long_a_comment_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"1,251 characters as LinkedIn counts, 1,250 are allowed"):
        CommentOnLinkedin(post=POST, text="x" * 1251)


@pytest.mark.parametrize(("fault", "there"), [("500", False), ("after", True)])
def test_whether_a_comment_is_there_is_looked_up_where_linkedin_lets_us(
    home: Home, linkedin: LinkedinServer, fault: str, there: bool
) -> None:
    linkedin.faults = [fault]
    with pytest.raises(UncertainError):
        home.run_action("comment_on_linkedin", PARAMS)
    assert home.look_up("comment_on_linkedin", PARAMS) == LookUp(happened=None)
    linkedin.scopes.add("r_member_social")
    assert home.look_up("comment_on_linkedin", PARAMS) == LookUp(there, COMMENTED if there else None)


def test_a_comment_is_shown_as_it_will_read(home: Home) -> None:
    assert home.preview("comment_on_linkedin", PARAMS) == (
        f"Commented on {LINK} as Ada Brown:\n\n{THANKS}\n\n(35 of 1,250 characters)"
    )


def test_a_post_is_deleted_and_deleting_it_again_changes_nothing(home: Home, linkedin: LinkedinServer) -> None:
    urn = linkedin.publish(MEMBER, "soon gone").urn
    for _ in range(2):
        assert home.run_action("delete_linkedin_post", {"post": urn}).result == {"post_id": urn}
    assert (linkedin.texts, linkedin.deleted) == ([], [urn])


def test_without_a_permission_nothing_is_commented(home: Home, linkedin: LinkedinServer) -> None:
    linkedin.scopes.clear()
    with pytest.raises(ActionError, match="LinkedIn does not permit the comment"):
        home.run_action("comment_on_linkedin", PARAMS)
    assert linkedin.comments == []
