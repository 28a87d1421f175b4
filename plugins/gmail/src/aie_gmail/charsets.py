"""Bytes of a mail as text. Never fails: what cannot be read is replaced, and never silently dropped."""

from __future__ import annotations

import codecs
import re

_ALIASES = {
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "iso-8859-8-i": "iso-8859-8",
    "unicode-1-1-utf-7": "utf-7",
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "ansi_x3.4-1968": "cp1252",
    "iso-8859-1": "cp1252",  # 0x80 to 0x9f are curly quotes in practice, never control characters
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "unknown-8bit": "cp1252",
    "8bit": "cp1252",
}
_TEXT_CODECS = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,40}")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def decoded(data: bytes, charset: str | None) -> str:
    """The text; without a usable charset it is UTF-8 if it can be, else Windows-1252."""
    name = (charset or "").strip().strip("\"'").lower()
    if not data:
        return ""
    codec = _codec(_ALIASES.get(name, name))
    if codec in ("", "cp1252"):
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode("cp1252", "replace")
    try:
        text = data.decode(codec)
    except Exception:  # codecs raise what they like on hostile bytes
        text = _as_far_as_possible(data, codec)
    return _SURROGATES.sub("\ufffd", text).removeprefix("\ufeff")  # UTF-7 can spell half a pair


def clean(text: str) -> str:
    """The text with line ends as ``\\n`` and without control characters."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str, limit: int = 1000) -> str:
    """The text as one line without control characters, for a header."""
    return " ".join(clean(text).split())[:limit]


def _codec(name: str) -> str:
    """The name of a codec that makes text of bytes; '' if there is none of that name."""
    if not _TEXT_CODECS.fullmatch(name):
        return ""
    try:
        found = codecs.lookup(name)
    except Exception:  # LookupError, and what a codec's search function raises on odd names
        return ""
    return found.name if getattr(found, "_is_text_encoding", True) and found.name not in _NOT_CHARSETS else ""


_NOT_CHARSETS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "raw_unicode_escape", "unicode-escape", "undefined", "mbcs", "oem"}
)


def _as_far_as_possible(data: bytes, codec: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode(codec, "replace")
    except Exception:  # as above
        return data.decode("cp1252", "replace")
