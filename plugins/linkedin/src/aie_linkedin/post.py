"""A post: what a workflow says about one, and what LinkedIn is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from aie_linkedin import little_text
from aie_linkedin.pictures import Picture, read_picture
from aie_linkedin.urns import organization_urn

MAX_LENGTH = 3000
MAX_PICTURES = 20
MAX_ALT = 4086


def encodable(text: str) -> str:
    """The text; ValueError for half an emoji, which cannot be sent."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"has half a character in it at position {error.start}") from None
    return text


def _none_if_empty(value: object) -> object:
    return None if value in ("", [], {}) else value


Text = Annotated[str, AfterValidator(encodable)]
OptionalText = Annotated[Text | None, BeforeValidator(_none_if_empty)]
Organization = Annotated[
    Annotated[str, AfterValidator(organization_urn)] | None,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else _none_if_empty(value)),
]


class Image(BaseModel):
    """One of several pictures."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Text = Field(description="the picture, from the top of the vault", examples=["Assets/opening-hours.png"])
    alt: Text = Field(default="", max_length=MAX_ALT, description="what is to be seen, for those who cannot see it")


class Mention(BaseModel):
    """Somebody the post names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text = Field(min_length=1, description="exactly the name at LinkedIn; the content has it as @name")
    urn: str = Field(
        pattern=r"^urn:li:(organization|person):[A-Za-z0-9_-]+$",
        description="who that is",
        examples=["urn:li:organization:2414183"],
    )


class PostToLinkedin(BaseModel):
    """A post on LinkedIn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    content: Text = Field(
        description="the text, as people will read it: up to 3,000 characters, #hashtags work",
        examples=["From March on we open at 8. #bakery"],
    )
    visibility: Literal["PUBLIC", "CONNECTIONS"] = Field(default="PUBLIC", description="who sees it")
    image_path: OptionalText = Field(
        default=None, description="a picture, from the top of the vault", examples=["Assets/opening-hours.png"]
    )
    alt_text: OptionalText = Field(
        default=None, max_length=MAX_ALT, description="what is to be seen on that picture, for those who cannot see it"
    )
    images: Annotated[list[Image] | None, BeforeValidator(_none_if_empty)] = Field(
        default=None, max_length=MAX_PICTURES, description="2 to 20 pictures instead of one"
    )
    article_url: OptionalText = Field(
        default=None, pattern=r"^https?://\S+$", description="a page that the post shows as a card"
    )
    article_title: OptionalText = Field(default=None, max_length=400, description="the title on that card")
    article_description: OptionalText = Field(default=None, max_length=4086, description="the text on that card")
    mentions: Annotated[list[Mention] | None, BeforeValidator(_none_if_empty)] = Field(
        default=None, description="whom the content names as @name: they are told, and the name is a link"
    )
    schedule_at: Annotated[datetime | None, BeforeValidator(_none_if_empty)] = Field(
        default=None, description="not before this time, ISO 8601, in the vault's time zone if it names none"
    )
    as_organization: Organization = Field(
        default=None, description="post as this company page: its number or URN; you must administer it"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if sum(map(bool, (self.image_path, self.images, self.article_url))) > 1:
            raise ValueError("a post has image_path, images or article_url: LinkedIn shows only one of them")
        if (self.article_title or self.article_description) and not self.article_url:
            raise ValueError("there is a title or description of an article, and no article_url")
        if self.article_url and not self.article_title:
            raise ValueError("an article needs an article_title: LinkedIn does not look at the page itself")
        for name, urn in self.named.items():
            if little_text.shown(self.content, {name: urn}) == self.content:
                raise ValueError(f"the content does not name @{name}, which is in mentions")
        if not self.shown.strip():
            raise ValueError("the content is empty")
        if (length := little_text.length(self.shown)) > MAX_LENGTH:
            raise ValueError(f"the content has {length:,} characters as LinkedIn counts, {MAX_LENGTH:,} are allowed")
        return self

    @property
    def named(self) -> Mapping[str, str]:
        """The URN behind each name to mention."""
        return {mention.name: mention.urn for mention in self.mentions or ()}

    @property
    def shown(self) -> str:
        """The text as people will read it."""
        return little_text.shown(self.content, self.named)

    def due(self, timezone: ZoneInfo) -> datetime | None:
        """When it may be published, aware, UTC; None: at once."""
        at = self.schedule_at
        if at is None:
            return None
        return (at if at.tzinfo else at.replace(tzinfo=timezone)).astimezone(UTC)

    def pictures(self, vault: Path) -> list[Picture]:
        """The pictures, read and checked; ParameterError if one cannot be posted."""
        if self.image_path:
            return [read_picture(vault, self.image_path, self.alt_text or "")]
        return [read_picture(vault, image.path, image.alt) for image in self.images or ()]


def request(params: PostToLinkedin, author: str, pictures: Sequence[Picture], urns: Sequence[str]) -> dict[str, Any]:
    """What is sent to create the post: the same for the same parameters, but for the URNs of uploaded pictures."""
    body: dict[str, Any] = {
        "author": author,
        "commentary": little_text.written(params.content, params.named),
        "visibility": params.visibility,
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
    }
    media = [
        {"id": urn, **({"altText": picture.alt} if picture.alt else {})}
        for picture, urn in zip(pictures, urns, strict=True)
    ]
    if params.article_url:
        article = {"title": params.article_title, "description": params.article_description}
        body["content"] = {"article": {"source": params.article_url, **{k: v for k, v in article.items() if v}}}
    elif len(media) == 1:
        body["content"] = {"media": media[0]}
    elif media:
        body["content"] = {"multiImage": {"images": media}}
    return body


def preview(params: PostToLinkedin, pictures: Sequence[Picture], account: str, timezone: ZoneInfo) -> str:
    """What a person is shown: the text exactly as it will read, and what goes with it."""
    due = params.due(timezone)
    who = "everybody" if params.visibility == "PUBLIC" else "your connections only"
    lines = [
        f"Posted on LinkedIn as {account}, visible to {who}"
        + (f", not before {due.astimezone(timezone):%Y-%m-%d %H:%M}" if due else "")
        + ":",
        "",
        params.shown,
        "",
        f"({little_text.length(params.shown):,} of {MAX_LENGTH:,} characters)",
    ]
    for picture in pictures:
        size = f"{picture.width} × {picture.height} pixels, {len(picture.data) / 1000:,.0f} kB"
        lines += ["", f"Picture: ![[{picture.path}]] ({picture.media_type}, {size})"]
        lines += (
            [f"Described as: {picture.alt}"] if picture.alt else ["It has no description for the blind (alt text)."]
        )
    if params.article_url:
        lines += ["", f"Card: {params.article_title} ({params.article_url})"]
        lines += [f"Text on it: {params.article_description}"] if params.article_description else []
    lines += [f"Mentions: {name} ({urn})" for name, urn in params.named.items()]
    return "\n".join(lines)
