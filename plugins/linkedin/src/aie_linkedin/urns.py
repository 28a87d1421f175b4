"""URNs: how LinkedIn names posts, people and company pages."""

from __future__ import annotations

import re
from urllib.parse import unquote

_POST = re.compile(r"urn:li:(share|ugcPost|activity):\d+")
_IN_LINK = re.compile(r"[-_/](share|ugcPost|activity)-(\d+)(?=[-/?#]|$)")


def organization_urn(text: str) -> str:
    """``urn:li:organization:ID`` for that or for the bare number; ValueError for anything else."""
    found = re.fullmatch(r"(?:urn:li:organization:)?(\d{1,20})", text.strip())
    if found is None:
        raise ValueError("write the number of a company page, or urn:li:organization: and that number")
    return f"urn:li:organization:{found[1]}"


def post_urn(text: str) -> str:
    """The URN in a URN or in the link of a post; ValueError if there is none."""
    text = unquote(text.strip())
    if found := _POST.search(text):
        return found[0]
    if found := _IN_LINK.search(text):
        return f"urn:li:{found[1]}:{found[2]}"
    raise ValueError("write a post's URN, such as urn:li:share:7141138937766391808, or the link to it")


def post_link(urn: str) -> str:
    """Where a person opens the post."""
    return f"https://www.linkedin.com/feed/update/{urn}"
