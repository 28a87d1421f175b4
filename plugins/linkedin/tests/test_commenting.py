"""Comments and deletions."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

from aie.actions import LookUp
from aie.errors import ActionError, UncertainError
from aie_linkedin.commenting import (
    Commented,
    CommentOnLinkedin,
    Deleted,
    DeleteLinkedinPost,
    comment,
    comment_on_linkedin,
    delete,
    find_comment,
)
from aie_linkedin.settings import LinkedinSettings
from aie_linkedin.urns import post_urn
from plugins.linkedin.tests.house import House
from plugins.linkedin.tests.linkedin_server import MEMBER, LinkedinServer

POST = "urn:li:share:7141138937766391808"
LINK = f"https://www.linkedin.com/feed/update/{POST}"
THANKS = "Thank you (all) for coming! #bakery"
COMMENT_ID = f"urn:li:comment:({POST},6000000000000000000)"


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


def test_a_comment_is_plain_text_with_nothing_escaped(house: House, linkedin: LinkedinServer) -> None:
    done = asyncio.run(comment(CommentOnLinkedin(post=LINK, text=THANKS), house.context()))
    assert done == Commented(comment_id=COMMENT_ID, post_id=POST, link=LINK)
    assert linkedin.comments == [
        {"actor": MEMBER, "object": POST, "message": {"text": THANKS}, "commentUrn": COMMENT_ID}
    ]


def test_too_long_a_comment_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"1,251 characters as LinkedIn counts, 1,250 are allowed"):
        CommentOnLinkedin(post=POST, text="x" * 1251)


@pytest.mark.parametrize(("fault", "there"), [("500", False), ("after", True)])
def test_whether_a_comment_is_there_is_looked_up_where_linkedin_lets_us(
    house: House, linkedin: LinkedinServer, fault: str, there: bool
) -> None:
    params = CommentOnLinkedin(post=POST, text=THANKS)
    linkedin.faults = [fault]
    with pytest.raises(UncertainError):
        asyncio.run(comment(params, house.context()))
    assert asyncio.run(find_comment(params, house.context())) == LookUp(happened=None)
    linkedin.scopes.add("r_member_social")
    result = {"comment_id": COMMENT_ID, "post_id": POST, "link": LINK} if there else None
    assert asyncio.run(find_comment(params, house.context())) == LookUp(happened=there, result=result)


def test_a_comment_is_shown_as_it_will_read(house: House) -> None:
    preview = comment_on_linkedin(LinkedinSettings()).preview
    assert preview is not None
    assert preview(CommentOnLinkedin(post=POST, text=THANKS), house.context()) == (
        f"Commented on {LINK} as Ada Brown:\n\n{THANKS}\n\n(35 of 1,250 characters)"
    )


def test_a_post_is_deleted_and_deleting_it_again_changes_nothing(house: House, linkedin: LinkedinServer) -> None:
    urn = linkedin.publish(MEMBER, "soon gone").urn
    for _ in range(2):
        assert asyncio.run(delete(DeleteLinkedinPost(post=urn), house.context())) == Deleted(post_id=urn)
    assert (linkedin.texts, linkedin.deleted) == ([], [urn])


def test_without_a_permission_nothing_is_commented(house: House, linkedin: LinkedinServer) -> None:
    linkedin.scopes.clear()
    with pytest.raises(ActionError, match="LinkedIn does not permit the comment"):
        asyncio.run(comment(CommentOnLinkedin(post=POST, text=THANKS), house.context()))
    assert linkedin.comments == []
