"""A new plugin's files, made from those in ``aie/scaffold``, which are a plugin named ``acme``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from importlib.metadata import version
from importlib.resources.abc import Traversable

FORMS = ("package", "minimal")
_SUFFIX = ".in"  # so that no tool takes them for code of aie's own


def package_of(name: str) -> str:
    """``aie-my-crm`` for ``my_crm``."""
    return f"aie-{name.replace('_', '-')}"


def scaffold(name: str, form: str) -> dict[str, str]:
    """Every file of the plugin by its path within the package's folder, in order."""
    folder = resources.files("aie") / "scaffold" / form
    return {
        _renamed(path, name): _renamed(item.read_text(encoding="utf-8"), name) for path, item in sorted(_files(folder))
    }


def _files(folder: Traversable, before: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _files(item, f"{before}{item.name}/")
        elif item.name.endswith(_SUFFIX):
            yield before + item.name.removesuffix(_SUFFIX), item


def _renamed(text: str, name: str) -> str:
    words = {
        "aie-acme": package_of(name),
        "acme.example": f"{name.replace('_', '-')}.example",
        "Acme": name.replace("_", " ").capitalize(),
        "acme": name,
        "ACME": name.upper(),
        "@aie-core@": core_range(),
    }
    camel = "".join(part.capitalize() for part in name.split("_"))
    text = re.sub(r"Acme(?=[A-Z])|(?<=[a-z])Acme", camel, text)  # within the name of a class
    return re.sub("|".join(map(re.escape, words)), lambda found: words[found[0]], text)


def core_range() -> str:
    """The versions of aie-core that a plugin written today works with: up to the next one that may change its API."""
    major, minor, *_ = version("aie-core").split(".")
    return f"aie-core>={major}.{minor},<{major}.{int(minor) + 1}"
