"""Posts: what was approved is what appears, whatever LinkedIn answers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aie.actions import LookUp, Outcome
from aie.errors import ActionError, ParameterError, RetryableError, UncertainError
from aie.events import Event, EventType
from aie.testing import Home
from aie_linkedin import little_text
from aie_linkedin.answers import seconds_to_reset
from aie_linkedin.post import PostToLinkedin
from aie_linkedin.publishing import Publisher
from aie_linkedin.settings import LinkedinSettings
from plugins.linkedin.tests.linkedin_server import MEMBER, PAGE, TOKEN, LinkedinServer, understood
from plugins.linkedin.tests.pictures import png, put_picture

SPRING = "From March on we open at 8."
FIRST = "urn:li:share:7141138937766391808"
NASTY = "(net) [EUR] {10} <b> *bold* _it_ ~x~ | a@b.de \\ #1 C# #Bäckerei, https://x.example/a_b#c_(d)?e=~f #a_b 👍🏽"


def post(home: Home, **params: Any) -> Outcome:
    return home.run_action("post_to_linkedin", params)


def look_up(home: Home, **params: Any) -> LookUp:
    return home.look_up("post_to_linkedin", params)


def preview(home: Home, **params: Any) -> str:
    return home.preview("post_to_linkedin", params)


# --- the text ----------------------------------------------------------------------------------------------------


@given(st.text())
def test_for_any_text_linkedin_understands_what_was_approved(text: str) -> None:
    assert understood(little_text.written(text))[0] == text


@given(st.text(alphabet="\\|{}@[]()<>#*_~ab1 é/:h.\n＃"))
def test_for_any_mess_of_reserved_characters_too(text: str) -> None:
    assert understood(little_text.written(text))[0] == text
    assert little_text.read(little_text.written(text)) == text


@given(st.text(), st.text(min_size=1).filter(str.strip), st.text())
def test_a_mention_reads_as_its_name_and_harms_nothing_around_it(before: str, name: str, after: str) -> None:
    named = {name: PAGE}
    text = f"{before} @{name} {after}"
    said, _, mentions = understood(little_text.written(text, named))
    assert said == little_text.shown(text, named)
    assert name in mentions


def test_what_is_not_escaped_is_cut_off_by_the_server_so_these_tests_can_fail() -> None:
    assert understood("Prices (net)")[0] == "Prices "


def test_a_nasty_text_appears_as_it_is_with_its_hashtags_live(home: Home, linkedin: LinkedinServer) -> None:
    post(home, content=NASTY)
    (published,) = linkedin.posts
    assert (published.text, published.hashtags) == (NASTY, ["Bäckerei", "a"])


@pytest.mark.parametrize(("text", "length"), [("abc", 3), ("👍", 2), ("é", 1), ("a\nb", 3)])
def test_characters_are_counted_as_linkedin_counts_them(text: str, length: int) -> None:
    assert little_text.length(text) == length


def test_three_thousand_characters_are_posted_and_one_more_is_refused_not_cut(
    home: Home, linkedin: LinkedinServer
) -> None:
    post(home, content="(" * 3000)
    assert linkedin.texts == ["(" * 3000]
    with pytest.raises(ValidationError, match=r"3,001 characters as LinkedIn counts, 3,000 are allowed"):
        PostToLinkedin(content="👍" * 1500 + "x")


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"content": " "}, "the content is empty"),
        ({"content": "a \ud83d"}, "half a character in it at position 2"),
        ({"content": "a", "mentions": [{"name": "Example Ltd", "urn": PAGE}]}, "does not name @Example Ltd"),
        ({"content": "a", "image_path": "a.png", "article_url": "https://example.com"}, "shows only one of them"),
        ({"content": "a", "article_url": "https://example.com"}, "an article needs an article_title"),
        ({"content": "a", "as_organization": "Example Ltd"}, "write the number of a company page"),
        ({"content": "a", "visibility": "FRIENDS"}, "Input should be 'PUBLIC' or 'CONNECTIONS'"),
    ],
)
def test_what_linkedin_would_not_take_is_refused_before_anybody_is_asked(
    params: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        PostToLinkedin(**params)
    assert complaint in str(caught.value)


# --- the post ----------------------------------------------------------------------------------------------------


def test_a_post_is_published_and_becomes_an_event(home: Home, linkedin: LinkedinServer) -> None:
    publisher = Publisher(now=home.clock.now)
    outcome = home.wait_for(publisher.run(PostToLinkedin(content=SPRING, image_path=""), home.context("linkedin")))
    link = f"https://www.linkedin.com/feed/update/{FIRST}"
    assert outcome.result == {"post_id": FIRST, "link": link, "author": MEMBER, "already_there": False}
    data = {
        "post_id": FIRST,
        "content": SPRING,
        "author": MEMBER,
        "visibility": "PUBLIC",
        "image_path": None,
        "published_at": "2026-02-09T17:30:00+00:00",
        "link": link,
    }
    assert outcome.events == (Event(EventType.LINKEDIN_POST, "linkedin", data, event_id=FIRST),)
    assert linkedin.texts == [SPRING]


def test_mentions_article_visibility_and_page_go_along(home: Home, linkedin: LinkedinServer) -> None:
    linkedin.scopes.add("w_organization_social")
    post(
        home, content="With @Example Ltd (again)", mentions=[{"name": "Example Ltd", "urn": PAGE}],
        as_organization=2414183, visibility="CONNECTIONS",
        article_url="https://example.com/a_b", article_title="News (all)",
    )  # fmt: skip
    (published,) = linkedin.posts
    assert (published.text, published.mentions) == ("With Example Ltd (again)", ["Example Ltd"])
    assert (published.author, published.visibility) == (PAGE, "CONNECTIONS")
    assert published.content == {"article": {"source": "https://example.com/a_b", "title": "News (all)"}}


def test_without_a_known_author_linkedin_is_asked_whose_token_it_is(home: Home, linkedin: LinkedinServer) -> None:
    home.credentials("linkedin").forget()
    home.credentials("linkedin").save({"access_token": TOKEN})
    assert post(home, content=SPRING).result["author"] == MEMBER
    assert linkedin.requests == ["GET /v2/userinfo", "POST /rest/posts 202609"]


def test_the_preview_shows_the_text_the_picture_and_the_count(home: Home) -> None:
    put_picture(home, "Assets/shop.png")
    shown = preview(
        home, content=f"{SPRING} With @Example Ltd.", image_path="Assets/shop.png", alt_text="the shop",
        mentions=[{"name": "Example Ltd", "urn": PAGE}], schedule_at="2026-02-10T09:00",
    )  # fmt: skip
    assert shown == (
        "Posted on LinkedIn as Ada Brown, visible to everybody, not before 2026-02-10 09:00:\n\n"
        "From March on we open at 8. With Example Ltd.\n\n"
        "(45 of 3,000 characters)\n\n"
        "Picture: ![[Assets/shop.png]] (image/png, 4 × 3 pixels, 0 kB)\n"
        "Described as: the shop\n"
        f"Mentions: Example Ltd ({PAGE})"
    )


def test_the_preview_says_when_the_picture_cannot_be_posted(home: Home) -> None:
    shown = preview(home, content=SPRING, image_path="shop.png")
    assert shown.startswith(
        "It CANNOT be posted: the picture 'shop.png' cannot be read: No such file or directory. "
        "Reject it, put that right, and start the run again.\n\n"
        f"Posted on LinkedIn as Ada Brown, visible to everybody:\n\n{SPRING}\n\n"
    )


# --- versions ----------------------------------------------------------------------------------------------------


def test_a_version_that_has_ended_is_stepped_over_and_the_one_that_works_remembered(
    home: Home, linkedin: LinkedinServer
) -> None:
    today = dt.datetime.now(dt.UTC)
    three_ago = f"{(today.year * 12 + today.month - 4) // 12}{(today.year * 12 + today.month - 4) % 12 + 1:02}"
    linkedin.active = {three_ago}
    post(home, content="one")
    post(home, content="two")
    assert linkedin.texts == ["one", "two"]
    assert linkedin.requests[0] == "POST /rest/posts 202609"
    assert linkedin.requests[-2:] == [f"POST /rest/posts {three_ago}"] * 2


def test_a_pinned_version_is_the_only_one_tried(home: Home, linkedin: LinkedinServer) -> None:
    linkedin.active = {"202607"}
    home.restart({"linkedin": {**linkedin.settings, "api_version": "202510"}})
    with pytest.raises(ActionError, match="202510 is not active") as caught:
        post(home, content=SPRING)
    assert caught.value.hint == "set api_version = 'auto' in [plugins.linkedin] of aie.toml"
    assert linkedin.requests == ["POST /rest/posts 202510"]


# --- pictures ----------------------------------------------------------------------------------------------------


def test_a_picture_is_uploaded_in_one_piece_and_described(home: Home, linkedin: LinkedinServer) -> None:
    data = put_picture(home, "Assets/shop.png")
    preview(home, content=SPRING, image_path="Assets/shop.png")
    post(home, content=SPRING, image_path="Assets/shop.png", alt_text="the (new) shop")
    ((urn, uploaded),) = linkedin.pictures.items()
    assert uploaded == data
    assert linkedin.posts[0].content == {"media": {"id": urn, "altText": "the (new) shop"}}


def test_several_pictures_keep_their_order(home: Home, linkedin: LinkedinServer) -> None:
    sizes = [put_picture(home, f"Assets/{number}.png", number, 2) for number in (1, 2, 3)]
    post(home, content=SPRING, images=[{"path": f"Assets/{n}.png", "alt": f"no. {n}"} for n in (1, 2, 3)])
    images = linkedin.posts[0].content["multiImage"]["images"]
    assert [(linkedin.pictures[one["id"]], one["altText"]) for one in images] == [
        (size, f"no. {number}") for number, size in enumerate(sizes, 1)
    ]


def test_a_picture_that_linkedin_still_works_on_is_waited_for(
    home: Home, linkedin: LinkedinServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aie_linkedin.publishing._PICTURE_PAUSES_S", (0.0, 0.0, 0.0, 0.0))
    put_picture(home, "shop.png")
    linkedin.not_ready = 4
    post(home, content=SPRING, image_path="shop.png")
    linkedin.not_ready = 5
    with pytest.raises(RetryableError, match="still processing"):
        post(home, content="another", image_path="shop.png")
    assert linkedin.texts == [SPRING]


@pytest.mark.parametrize(
    ("path", "data", "complaint"),
    [
        ("a.png", b"<svg/>", "is no JPG, PNG or GIF"),
        ("a.jpg", b"RIFF____WEBPVP8 ", "is no JPG, PNG or GIF"),
        ("a.png", png(1, 1)[:16] + b"\0\0\x20\0" * 2 + b"\x08", "is 8192 by 8192 pixels, more than LinkedIn takes"),
        ("a.gif", b"GIF89a" + b"\1\0\1\0" + bytes(8_000_001), "is larger than 8 MB"),
        ("../a.png", None, 'has \'..\' in it: "..", "." and empty names are not allowed'),
        ("missing.png", None, "cannot be read: No such file or directory"),
    ],
)
def test_a_picture_that_cannot_be_posted_stops_the_post(
    home: Home, linkedin: LinkedinServer, path: str, data: bytes | None, complaint: str
) -> None:
    if data is not None:
        (home.vault / path).write_bytes(data)
    with pytest.raises(ParameterError) as caught:
        post(home, content=SPRING, image_path=path)
    assert complaint in str(caught.value)
    assert linkedin.requests == []


def test_a_link_out_of_the_vault_is_not_followed(home: Home, linkedin: LinkedinServer) -> None:
    (home.vault.parent / "secret.png").write_bytes(png(2, 2))
    (home.vault / "a.png").symlink_to(home.vault.parent / "secret.png")
    with pytest.raises(ParameterError, match="leads out of the vault through a link"):
        post(home, content=SPRING, image_path="a.png")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.gif", b"GIF89a" + b"\4\0\3\0" + bytes(20)),
        ("a.jpg", b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc2\x00\x11\x08\x00\x03\x00\x04\x03" + bytes(20)),
    ],
)
def test_gif_and_jpeg_are_known_by_their_content(home: Home, name: str, data: bytes) -> None:
    (home.vault / name).write_bytes(data)
    assert "4 × 3 pixels" in preview(home, content=SPRING, image_path=name)


@pytest.mark.parametrize("there_before", [True, False])
def test_a_picture_that_nobody_was_shown_is_not_posted(
    home: Home, linkedin: LinkedinServer, there_before: bool
) -> None:
    if there_before:
        put_picture(home, "shop.png")
    preview(home, content=SPRING, image_path="shop.png")
    put_picture(home, "shop.png", 5, 5)
    with pytest.raises(ActionError, match="are not the ones that were approved"):
        post(home, content=SPRING, image_path="shop.png")
    assert linkedin.texts == []


# --- what LinkedIn answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["500", "after", "cut", "unnamed"])
def test_after_an_unknown_outcome_the_same_text_is_sent_once_more_and_there_is_one_post(
    home: Home, linkedin: LinkedinServer, fault: str
) -> None:
    linkedin.faults = [fault]
    with pytest.raises(UncertainError):
        post(home, content=NASTY)
    found = look_up(home, content=NASTY)
    there_before = fault != "500"
    link = f"https://www.linkedin.com/feed/update/{FIRST}"
    result = {"post_id": FIRST, "link": link, "author": MEMBER, "already_there": there_before}
    assert found == LookUp(happened=True, result=result)
    assert linkedin.texts == [NASTY]
    assert len(linkedin.requests) == 2


def test_when_that_is_unknown_too_it_is_left_to_a_person(home: Home, linkedin: LinkedinServer) -> None:
    linkedin.faults = ["500", "500"]
    with pytest.raises(UncertainError):
        post(home, content=SPRING)
    with pytest.raises(UncertainError):
        look_up(home, content=SPRING)
    assert len(linkedin.requests) == 2


def test_a_limit_met_while_looking_leaves_it_unknown(home: Home, linkedin: LinkedinServer) -> None:
    linkedin.faults = ["429"]
    with pytest.raises(UncertainError, match="could not be found out: LinkedIn's limit is reached"):
        look_up(home, content=SPRING)


def test_a_first_attempt_that_is_a_duplicate_has_failed_and_names_the_post(
    home: Home, linkedin: LinkedinServer
) -> None:
    post(home, content=SPRING)
    with pytest.raises(ActionError, match=f"exactly this text already: https://www.linkedin.com/feed/update/{FIRST}"):
        post(home, content=SPRING)
    assert linkedin.texts == [SPRING]


def test_at_the_daily_limit_it_waits_until_the_reset(home: Home, linkedin: LinkedinServer) -> None:
    linkedin.faults = ["429"]
    before = seconds_to_reset(dt.datetime.now(dt.UTC))
    with pytest.raises(RetryableError, match="the post did not happen") as caught:
        post(home, content=SPRING)
    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s > before - 60  # over midnight it is a day more
    assert linkedin.texts == []


def test_the_reset_is_five_past_midnight_utc() -> None:
    assert seconds_to_reset(dt.datetime(2026, 2, 9, 23, 55, tzinfo=dt.UTC)) == 600.0


def test_nothing_happened_when_linkedin_cannot_be_reached(home: Home) -> None:
    home.restart({"linkedin": {"api_url": "http://127.0.0.1:9"}})
    with pytest.raises(RetryableError, match="LinkedIn cannot be reached"):
        post(home, content=SPRING)


@pytest.mark.parametrize(
    ("state", "trouble"),
    [
        ("revoked", "the access to LinkedIn was revoked"),
        ("expired", "the access to LinkedIn has ended: LinkedIn gives it for 60 days"),
    ],
)
def test_a_token_that_is_refused_is_trouble_until_it_works_again(
    home: Home, linkedin: LinkedinServer, state: str, trouble: str
) -> None:
    linkedin.tokens[TOKEN] = state
    with pytest.raises(ActionError) as caught:
        post(home, content=SPRING)
    assert (str(caught.value), caught.value.hint) == (trouble, "connect anew: aie connect linkedin")
    credentials = home.credentials("linkedin")
    assert credentials.record is not None
    assert credentials.record.trouble == trouble
    linkedin.tokens[TOKEN] = "active"
    post(home, content=SPRING)
    assert credentials.record.trouble == ""


@pytest.mark.parametrize(
    ("organization", "product", "scope"),
    [(None, "Share on LinkedIn", "w_member_social"), (PAGE, "Community Management API", "w_organization_social")],
)
def test_a_missing_permission_names_the_product(
    home: Home, linkedin: LinkedinServer, organization: str | None, product: str, scope: str
) -> None:
    linkedin.scopes.discard("w_member_social")
    with pytest.raises(ActionError) as caught:
        post(home, content=SPRING, as_organization=organization)
    assert str(caught.value) == "LinkedIn does not permit the post: 'Not enough permissions to access: posts.CREATE'"
    assert caught.value.hint == f"add the product {product!r} to the app (it gives {scope}), then: aie connect linkedin"


def test_the_server_refuses_what_is_incomplete(linkedin: LinkedinServer) -> None:
    headers = {
        "Authorization": f"Bearer {TOKEN}", "LinkedIn-Version": "202609", "X-Restli-Protocol-Version": "2.0.0"
    }  # fmt: skip
    answer = httpx2.post(f"{linkedin.url}/rest/posts", json={"commentary": "a"}, headers=headers)
    assert (answer.status_code, answer.json()["message"].count("field is required")) == (422, 4)
    assert (
        httpx2.post(f"{linkedin.url}/rest/posts", json={}, headers=headers | {"LinkedIn-Version": ""}).status_code
        == 400
    )


def test_the_token_goes_to_linkedin_only() -> None:
    with pytest.raises(ValidationError, match="begins with https://"):
        LinkedinSettings(api_url="http://linkedin.example.com")


# --- its time ----------------------------------------------------------------------------------------------------


def test_a_post_for_later_waits_until_then(home: Home, linkedin: LinkedinServer) -> None:
    params, context = PostToLinkedin(content=SPRING, schedule_at="2026-02-10T09:00"), home.context("linkedin")
    publisher = Publisher(now=home.clock.now)
    with pytest.raises(RetryableError, match="on 2026-02-10 at 09:00, and waits until then") as caught:
        home.wait_for(publisher.run(params, context))
    assert caught.value.retry_after_s == 14.5 * 3600
    assert home.wait_for(publisher.look_up(params, context)) == LookUp(happened=False)
    assert linkedin.requests == []
    home.clock.move(hours=14, minutes=30)
    home.wait_for(publisher.run(params, context))
    assert linkedin.texts == [SPRING]
