"""``aie.toml`` as read, and errors that name a place in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from aie.errors import ConfigError
from aie.spelling import nearest

FILE_NAME = "aie.toml"


class ConfigFile:
    """``aie.toml`` as read; ``keys`` may stand at its top level."""

    def __init__(self, path: Path, keys: Collection[str]) -> None:
        self.path = path
        self._keys = keys
        self.text = ""
        if path.exists():
            try:
                self.text = path.read_bytes().decode("utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                hint = "save the file as UTF-8 text that you may read"
                raise ConfigError(f"aie.toml cannot be read: {error}", where=str(path), hint=hint) from None
        try:
            self.data = tomllib.loads(self.text.replace("\r\n", "\n"))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise self._syntax_error(error) from None
        for key in self.data:
            if key not in keys:
                raise self.error(key, f"{key!r} is not a setting of aie.toml", self._unknown_hint(key))

    def _syntax_error(self, error: Exception) -> ConfigError:
        message, place = str(error) or type(error).__name__, ""
        if found := re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL):
            message, place = found[1], f", {found[2]}"
        hint = "correct that line; texts are written in double quotes, lists in square brackets"
        return ConfigError(f"not TOML: {message}", where=f"{self.path}{place}", hint=hint)

    def _unknown_hint(self, key: str) -> str:
        if near := nearest(key, self._keys):
            return f"did you mean {near!r}?"
        if isinstance(self.data[key], dict):
            return f"the settings of a plugin go into its table: [plugins.{key}]"
        return "the keys are " + ", ".join(self._keys)

    def error(self, key: str, message: str, hint: str) -> ConfigError:
        """An error about a key, dotted when it is in a table."""
        last = re.escape(key.rsplit(".", 1)[-1])
        line = re.search(rf"^\s*(?:\[[^\]\n]*\b)?[\"']?{last}[\"']?\s*[\]=.]", self.text, re.MULTILINE)
        number = f", line {self.text.count(chr(10), 0, line.end()) + 1}" if line else ""
        return ConfigError(message, where=f"{self.path}{number}, {key}", hint=hint)

    def wrong(self, key: str, found: object, wanted: str, hint: str) -> ConfigError:
        return self.error(key, f"{key} is {wanted}, found {found!r}"[:300], hint)

    def text_of(self, key: str) -> str:
        value = self.data.get(key, "")
        if not isinstance(value, str):
            raise self.wrong(key, value, "a text", f'write it as {key} = "…"')
        return value

    def number(self, key: str, default: int, *, least: int, most: int) -> int:
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, value, f"a whole number from {least} to {most}", f"write it as {key} = {default}")
        return value

    def texts(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.wrong(key, value, "a list of texts", f'write it as {key.rsplit(".", 1)[-1]} = ["…"]')
        return tuple(value)

    def table(self, key: str) -> dict[str, Any]:
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, value, "a table", f"write it as [{key}] on a line of its own, its settings below")
        return value
