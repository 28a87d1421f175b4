"""The files in the vault of a home."""

from __future__ import annotations

from pathlib import Path

from aie.testing import Home


def put(home: Home, path: str, text: str) -> Path:
    file = home.vault / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def files(home: Home) -> dict[str, str]:
    """What a person has there, with its text: all but the settings."""
    paths = [path for path in home.vault.rglob("*") if path.is_file() and path != home.vault / "aie.toml"]
    return {path.relative_to(home.vault).as_posix(): path.read_text() for path in paths}
