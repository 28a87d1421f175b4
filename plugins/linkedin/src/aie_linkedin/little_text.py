r"""Little text: how the text of a post is written for LinkedIn.

Every reserved character is escaped with a backslash. One that is not makes LinkedIn publish only the text before it,
and answer as if all were well. Hashtags become templates, ``{hashtag|\#|word}``, and mentions that were asked for
``@[Name](urn)``. The grammar is LinkedIn's "little Text Format".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_RESERVED = re.compile(r"[\\|{}@\[\]()<>#*_~]")
_TOKEN = re.compile(
    r"""
    (?P<url> https?://\S+ )                              # what looks like a hashtag in it is a part of the address
    | (?<![\w&/#]) \# (?P<tag> (?=[^\W_]*[^\W\d_]) [^\W_]+ )   # letters and digits, at least one letter
    """,
    re.VERBOSE,
)
_WRITTEN = re.compile(
    r"""
    \\(?P<escaped> . )
    | \{hashtag\|(?P<sign> \\?[#\uff03] )\|(?P<tag> (?:\\.|[^\\|{}])* )\}
    | @\[(?P<name> (?:\\.|[^\\\]])* )\]\([^()]*\)
    | (?P<plain> . )
    """,
    re.VERBOSE | re.DOTALL,
)


def escaped(text: str) -> str:
    """The text with every reserved character made literal."""
    return _RESERVED.sub(lambda found: f"\\{found[0]}", text)


def written(text: str, mentions: Mapping[str, str] | None = None) -> str:
    """A post's text as little text. ``mentions`` has the URN of each ``@Name`` in it that is to be a mention."""
    if not mentions:
        return _with_hashtags(text)
    pieces = _mentioned(mentions).split(text)  # text, name, text, name, … text
    return "".join(
        f"@[{escaped(piece)}]({mentions[piece]})" if number % 2 else _with_hashtags(piece)
        for number, piece in enumerate(pieces)
    )


def shown(text: str, mentions: Mapping[str, str] | None = None) -> str:
    """The text as people will read it: a mention is shown by its name alone."""
    return _mentioned(mentions).sub(r"\1", text) if mentions else text


def read(commentary: str) -> str:
    """What people read of little text that LinkedIn gives."""
    return "".join(_piece(found) for found in _WRITTEN.finditer(commentary))


def length(text: str) -> int:
    """Characters as LinkedIn counts them: UTF-16 units, so that an emoji is two or more."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _with_hashtags(text: str) -> str:
    pieces = []
    end = 0
    for found in _TOKEN.finditer(text):
        if found["tag"]:
            pieces += [escaped(text[end : found.start()]), rf"{{hashtag|\#|{found['tag']}}}"]
            end = found.end()
    return "".join([*pieces, escaped(text[end:])])


def _mentioned(mentions: Mapping[str, str]) -> re.Pattern[str]:
    """``@Name`` for each name, the longest that fits, not followed by more of a word."""
    names = "|".join(re.escape(name) for name in sorted(mentions, key=len, reverse=True))
    return re.compile(rf"@({names})(?!\w)")


def _piece(found: re.Match[str]) -> str:
    if found["tag"] is not None:
        return found["sign"][-1] + re.sub(r"\\(.)", r"\1", found["tag"])
    if found["name"] is not None:
        return re.sub(r"\\(.)", r"\1", found["name"])
    return found["escaped"] or found["plain"] or ""
