"""What is new in a mail: its text without the earlier mails quoted below it."""

from __future__ import annotations

import re

_LINES = 20_000
_CUTS = re.compile(
    r"""(?imx)
    ^[ \t]*-{2,}[ \t]*(?:original[ ]message|forwarded[ ]message|ursprüngliche[ ]nachricht|weitergeleitete[ ]nachricht
        |message[ ]d['’]origine|message[ ]transféré|mensaje[ ]original|mensaje[ ]reenviado)[ \t]*-{2,}[ \t]*$
    | ^_{20,}[ \t]*\n(?=(?:from|von|de)[ \t]*:)
    | ^[ \t]*(?:from|von|de)[ \t]*:[^\n]{3,300}\n(?:[^\n]{0,300}\n){0,2}?
        [ \t]*(?:sent|date|gesendet|datum|envoyé|enviado|fecha)[ \t]*:
    | ^[ \t]*begin[ ]forwarded[ ]message:[ \t]*$
    """
)
_INTRODUCTION = re.compile(
    r"""(?imx)
    ^[ \t>]*(?:
        on\b[^\n]{5,300}(?:\n[^\n]{1,200})?\bwrote[ \t]*:
      | am\b[^\n]{5,300}(?:\n[^\n]{1,200})?\b(?:schrieb|geschrieben)\b[^\n]{0,200}:
      | le\b[^\n]{5,300}(?:\n[^\n]{1,200})?\ba[ ]écrit[ \t\xa0]*:
      | el\b[^\n]{5,300}(?:\n[^\n]{1,200})?\bescribió[ \t]*:
    )[ \t]*$
    """
)


def new_text(body: str) -> str:
    """The text before and between quotes. Of a mail that only forwards, all of it: there is nothing else to read."""
    lines = body.split("\n")[:_LINES]
    text = "\n".join(line[:2_000] for line in lines)
    cut = min((found.start() for found in (_CUTS.search(text), _before_quotes(text)) if found), default=len(text))
    kept = [line for line in text[:cut].split("\n") if not line.lstrip().startswith(">")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip() or body.strip()


def _before_quotes(text: str) -> re.Match[str] | None:
    """The line that introduces a quote, where only quoted lines (or nothing) follow, or the quote is not marked."""
    for found in _INTRODUCTION.finditer(text):
        rest = [line for line in text[found.end() :].split("\n") if line.strip()]
        unmarked = bool(rest) and not rest[0].lstrip().startswith(">")
        if unmarked or all(line.lstrip().startswith(">") for line in rest):
            return found
    return None
