"""The actions ``comment_on_linkedin`` and ``delete_linkedin_post``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler, LookUp
from aie.errors import ActionError, UncertainError
from aie_linkedin import little_text
from aie_linkedin.api import Api, in_path, open_api
from aie_linkedin.post import Organization, Text
from aie_linkedin.settings import LinkedinSettings
from aie_linkedin.urns import post_link, post_urn

MAX_COMMENT = 1250
PostUrn = Annotated[str, AfterValidator(post_urn)]


def _short_enough(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is empty")
    if (length := little_text.length(text)) > MAX_COMMENT:
        raise ValueError(f"the text has {length:,} characters as LinkedIn counts, {MAX_COMMENT:,} are allowed")
    return text


class CommentOnLinkedin(BaseModel):
    """A comment below a post."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    post: PostUrn = Field(
        description="the post: its URN or the link to it", examples=["urn:li:share:7141138937766391808"]
    )
    text: Annotated[Text, AfterValidator(_short_enough)] = Field(
        description="the comment, up to 1,250 characters", examples=["Thank you all for coming!"]
    )
    as_organization: Organization = Field(default=None, description="comment as this company page: its number or URN")


class Commented(BaseModel):
    """The comment."""

    comment_id: str = Field(description="its URN")
    post_id: str = Field(description="the URN of the post")
    link: str = Field(description="where a person opens the post")


class DeleteLinkedinPost(BaseModel):
    """A post that is to go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    post: PostUrn = Field(
        description="the post: its URN or the link to it", examples=["urn:li:share:7141138937766391808"]
    )


class Deleted(BaseModel):
    """The post that is gone."""

    post_id: str = Field(description="its URN")


async def comment(params: CommentOnLinkedin, context: ActionContext) -> Commented:
    """Comment. The text of a comment is plain: nothing in it is escaped."""
    async with open_api(context) as api:
        author = await api.author(params.as_organization)
        answer = await api.call(
            "POST",
            f"/rest/socialActions/{in_path(params.post)}/comments",
            "the comment",
            body={"actor": author, "object": params.post, "message": {"text": params.text}},
            changes=True,
            scope=_scope(author, "w"),
        )
    comment_id = str(answer.headers.get("x-restli-id", ""))
    if not comment_id:
        raise UncertainError("LinkedIn took the comment and does not name it", where="comment")
    return _commented(params, comment_id)


async def find_comment(params: CommentOnLinkedin, context: ActionContext) -> LookUp:
    """Whether a comment of ours with this text is there; LinkedIn lets few apps see that."""
    async with open_api(context) as api:
        author = await api.author(params.as_organization)
        try:
            found = await _own_comment(api, params, author)
        except ActionError:  # not permitted to look, or LinkedIn is not there: only a person can tell
            return LookUp(happened=None)
    if found is None:
        return LookUp(happened=False)
    return LookUp(happened=True, result=_commented(params, found).model_dump())


async def _own_comment(api: Api, params: CommentOnLinkedin, author: str) -> str | None:
    answer = await api.call(
        "GET",
        f"/rest/socialActions/{in_path(params.post)}/comments?count=100",
        "reading the comments",
        scope=_scope(author, "r"),
    )
    try:
        elements = answer.json()["elements"]
        for one in elements:
            if one["actor"] == author and one["message"]["text"] == params.text:
                return str(one["commentUrn"])
        complete = len(elements) < 100
    except (ValueError, KeyError, TypeError):
        raise ActionError("LinkedIn gives the comments in a form that is not known") from None
    if not complete:
        raise ActionError("there are more comments than one answer holds")
    return None


async def delete(params: DeleteLinkedinPost, context: ActionContext) -> Deleted:
    """Delete; one that is gone already is gone."""
    async with open_api(context) as api:
        await api.call(
            "DELETE",
            f"/rest/posts/{in_path(params.post)}",
            "deleting the post",
            changes=True,
            scope="w_member_social",
            headers={"X-RestLi-Method": "DELETE"},
        )
    return Deleted(post_id=params.post)


def _commented(params: CommentOnLinkedin, comment_id: str) -> Commented:
    return Commented(comment_id=comment_id, post_id=params.post, link=post_link(params.post))


def _scope(author: str, letter: str) -> str:
    return f"{letter}_{'organization' if ':organization:' in author else 'member'}_social"


def _comment_preview(params: CommentOnLinkedin, context: ActionContext) -> str:
    record = context.credentials.record
    account = params.as_organization or (record.account if record and record.account else "you")
    count = f"({little_text.length(params.text):,} of {MAX_COMMENT:,} characters)"
    return f"Commented on {post_link(params.post)} as {account}:\n\n{params.text}\n\n{count}"


def _delete_preview(params: DeleteLinkedinPost, context: ActionContext) -> str:
    return f"Deleted from LinkedIn, for good, with its comments and reactions:\n\n{post_link(params.post)}"


def comment_on_linkedin(settings: LinkedinSettings) -> ActionHandler:
    """The action."""
    return ActionHandler(
        name="comment_on_linkedin",
        params=CommentOnLinkedin,
        run=comment,
        summary="comment on a post on LinkedIn",
        example={"post": "urn:li:share:7141138937766391808", "text": "Thank you all for coming!"},
        result=Commented,
        look_up=find_comment,
        note_kind="LINKEDIN_COMMENT",
        body_field="text",
        locked_fields=frozenset({"post", "as_organization"}),
        preview=_comment_preview,
        touches=settings.servers,
    )


def delete_linkedin_post(settings: LinkedinSettings) -> ActionHandler:
    """The action."""
    return ActionHandler(
        name="delete_linkedin_post",
        params=DeleteLinkedinPost,
        run=delete,
        summary="delete a post from LinkedIn",
        example={"post": "urn:li:share:7141138937766391808"},
        result=Deleted,
        repeatable=True,  # LinkedIn answers the same when the post is gone already
        note_kind="LINKEDIN_DELETE",
        title_field="post",
        locked_fields=frozenset({"post"}),
        preview=_delete_preview,
        touches=settings.servers,
    )
