"""The built site loads nothing from the net: no script, font, style or picture of somebody else's."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

_TAGS = re.compile(r"<(?:script|link|img|iframe|source|video|audio|object|embed)\b[^>]*>", re.IGNORECASE)
_ADDRESS = re.compile(r"""(?:src|href|data|srcset)\s*=\s*["']?\s*((?:https?:)?//[^"'\s>]+)""", re.IGNORECASE)
_STYLE = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)


def check_site(app: Sphinx, exception: Exception | None) -> None:
    """Fails the build when a page would load something from elsewhere. Where links lead is the reader's affair."""
    if exception is None and app.builder.format == "html" and (found := foreign(Path(app.outdir))):
        raise ExtensionError("the site would load from the net:\n  " + "\n  ".join(found))


def foreign(site: Path) -> list[str]:
    """``FILE: ADDRESS`` for everything that a browser would load from elsewhere."""
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix == ".html":
            text = path.read_text(encoding="utf-8")
            addresses = [address for tag in _TAGS.findall(text) for address in _ADDRESS.findall(tag)]
            addresses += _STYLE.findall(text)
        elif path.suffix in (".css", ".svg"):
            addresses = _STYLE.findall(path.read_text(encoding="utf-8"))
        else:
            continue
        found += [f"{path.relative_to(site)}: {address}" for address in addresses]
    return found
