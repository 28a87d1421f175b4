"""The text of an HTML mail, as a person would read it.

One pass with searches forward only: no tree, no recursion, and nothing is looked at twice, whatever the markup.
"""

from __future__ import annotations

import html
import re

MAX_IN = 1_000_000  # characters
MAX_OUT = 200_000
MAX_TAGS = 100_000
MAX_ODD_TAGS = 2_000  # tags with quotes that do not close, each of which is searched further than others

_TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,40})((?:[^<>"']|"[^"]*"|'[^']*'){0,4000})>""")
_HREF = re.compile(r"""\shref\s*=\s*(?:"([^"]{1,2000})"|'([^']{1,2000})'|([^\s"'>]{1,2000}))""", re.IGNORECASE)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|mso-hide\s*:\s*all", re.IGNORECASE
)
_SKIPPED = frozenset({"script", "style", "head", "title", "noscript", "template", "svg", "object"})
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt", "fieldset", "figure"),
        *("footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main", "nav", "ol"),
        *("p", "pre", "section", "table", "tbody", "tfoot", "thead", "tr", "ul"),
    }
)
_SPACED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "ul", "ol", "table"})
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})


def html_text(markup: str) -> str:
    """Plain text: paragraphs apart, bars between cells, addresses of links behind their text, nothing hidden."""
    reading = _Reading(markup[:MAX_IN])
    reading.run()
    return reading.text()


class _Reading:
    def __init__(self, markup: str) -> None:
        self._markup = markup
        self._lower = markup.lower()
        self._pieces: list[str] = []
        self._size = 0
        self._hidden: list[str] = []  # the open elements since the first hidden one
        self._quotes = 0
        self._links: list[tuple[str, int]] = []
        self._odd = 0

    def run(self) -> None:
        place, tags = 0, 0
        markup = self._markup
        while place < len(markup) and self._size < MAX_OUT and tags < MAX_TAGS:
            tag = markup.find("<", place)
            tag = len(markup) if tag < 0 else tag
            self._say(markup[place:tag])
            if tag < len(markup):
                place = self._markup_at(tag)
                tags += 1
            else:
                place = tag

    def text(self) -> str:
        text = "".join(self._pieces)
        text = re.sub(r"[ \t\xa0]*\n[ \t\xa0]*", "\n", re.sub(r"[ \t\xa0]{2,}", " ", text))
        text = re.sub(r"(?m)^\| | \|$", "", text)
        return re.sub(r"\n{3,}", "\n\n", text).strip()[:MAX_OUT]

    def _markup_at(self, place: int) -> int:
        """Deal with what begins with the ``<`` at this place; gives the place after it."""
        if self._markup.startswith("<!--", place):
            return self._after("-->", place + 4)
        if self._markup.startswith(("<!", "<?"), place):
            return self._after(">", place)
        found = _TAG.match(self._markup, place, place + 5_000) if self._odd < MAX_ODD_TAGS else None
        if found is None:
            if not re.match(r"</?[a-zA-Z]", self._markup[place : place + 3]):
                self._say("<")
                return place + 1
            self._odd += 1
            return self._after(">", place)
        closes, name, rest = bool(found[1]), found[2].lower(), found[3]
        if name in _SKIPPED and not closes and not rest.endswith("/"):
            return self._after(">", self._after(f"</{name}", found.end(), eat=False))
        self._tag(name, rest, closes)
        return found.end()

    def _after(self, mark: str, place: int, *, eat: bool = True) -> int:
        """The place after the mark (or of it); without one, the end: what was opened there hides all that follows."""
        found = self._lower.find(mark, place)
        return len(self._markup) if found < 0 else found + (len(mark) if eat else 0)

    def _tag(self, name: str, rest: str, closes: bool) -> None:
        if self._hidden or (not closes and name not in _VOID and self._hides(rest)):
            self._follow_hidden(name, rest, closes)
            return
        if name == "br":
            self._pieces.append("\n")
        elif name == "a":
            self._link(rest, closes)
        elif name in {"td", "th"} and not closes:
            self._pieces.append(" | ")
        elif name == "li" and not closes:
            self._pieces.append("\n- ")
        elif name in _BLOCKS:
            self._pieces.append("\n\n" if name in _SPACED else "\n")

    def _hides(self, rest: str) -> bool:
        return bool(_HIDDEN.search(rest)) or bool(re.search(r"\shidden(?=[\s=/]|$)", rest, re.IGNORECASE))

    def _follow_hidden(self, name: str, rest: str, closes: bool) -> None:
        if closes:
            if name in self._hidden[-50:]:
                while self._hidden.pop() != name:
                    pass
        elif name not in _VOID and not rest.endswith("/") and len(self._hidden) < 1_000:
            self._hidden.append(name)

    def _link(self, rest: str, closes: bool) -> None:
        if not closes:
            found = _HREF.search(f" {rest}")
            address = html.unescape(next((part for part in found.groups() if part), "")) if found else ""
            self._links.append((address.strip(), len(self._pieces)))
        elif self._links:
            address, since = self._links.pop()
            shown = " ".join("".join(self._pieces[since:]).split())
            if address.lower().startswith(("http://", "https://")) and address.rstrip("/") != shown.rstrip("/"):
                self._pieces.append(f" ({address})")

    def _say(self, text: str) -> None:
        if text and not self._hidden:
            text = re.sub(r"\s+", " ", html.unescape(text).replace("\xad", "").replace("\u200b", ""))
            self._pieces.append(text)
            self._size += len(text)
