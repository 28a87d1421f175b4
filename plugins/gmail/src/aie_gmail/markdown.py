"""Markdown as the HTML part of a mail."""

from __future__ import annotations

import html

from markdown_it import MarkdownIt

_PAGE = '<!doctype html><html><head><meta charset="utf-8"></head><body>{}</body></html>'


def page(text: str, quoted: str = "") -> str:
    """The text rendered: HTML in it is shown as typed, pictures become links, line ends stay.

    ``quoted`` is somebody else's and is not rendered.
    """
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable("image")
    body = markdown.render(text)
    if quoted:
        body += f"<blockquote>{html.escape(quoted).replace(chr(10), '<br>' + chr(10))}</blockquote>"
    return _PAGE.format(body)
