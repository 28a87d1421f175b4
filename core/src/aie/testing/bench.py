"""The bench on which a plugin is tried: homes with its settings, the stand-in of its service, and what both have."""

from __future__ import annotations

import contextlib
import json
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aie.actions import ActionHandler
from aie.credentials import secrets_within
from aie.plain import Json
from aie.testing.evidence import changed_files, contents, difference
from aie.testing.findings import NotTriedError, ViolationError, said
from aie.testing.home import Home
from aie.testing.runs import NOTHING

Stalled = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Bench:
    """See :func:`aie.testing.examine` for what the fields are."""

    name: str
    plugins: str | Mapping[str, object]
    settings: Mapping[str, Any]
    credentials: Mapping[str, str]
    prepare: Callable[[Home], object] | None
    state: Callable[[], Json]
    stalled: Stalled | None
    params: Mapping[str, Callable[[Home], Mapping[str, Json]]]
    news: Mapping[str, Callable[[Home], object]]

    @contextlib.contextmanager
    def home(self, changes: Mapping[str, Any] = NOTHING) -> Iterator[Home]:
        """A new one, prepared; ``changes`` are settings that are different in it."""
        settings = {**self.settings, **changes}
        with (
            tempfile.TemporaryDirectory(prefix="aie-", ignore_cleanup_errors=True) as folder,
            Home(
                Path(folder),
                self.plugins,
                settings={self.name: settings} if settings else {},
                credentials={self.name: self.credentials} if self.credentials else {},
            ) as home,
        ):
            if self.prepare is not None:
                self.prepare(home)
            yield home

    @contextlib.contextmanager
    def elsewhere(self, home: Home, changes: object) -> Iterator[Home]:
        """A new home with these settings, if they are settings; otherwise the same."""
        if isinstance(changes, Mapping):
            with self.home(changes) as other:
                yield other
        else:
            yield home

    def params_of(self, handler: ActionHandler, home: Home) -> Mapping[str, Json]:
        """What the action is tried with. Raises NotTriedError when there is nothing."""
        if handler.name in self.params:
            return self.params[handler.name](home)
        if handler.example is None:
            raise NotTriedError("it has no example")
        return handler.example

    def look(self) -> Json:
        """What the stand-in has now."""
        try:
            return self.state()
        except Exception as error:
            raise ViolationError(f"state, which the test gives, fails: {said(error)}", "correct the test") from error

    def secrets(self, home: Home) -> dict[str, str]:
        """The secrets that the plugin's connection has, by name; those within a token as ``token.access_token``."""
        return _all(home.secrets(self.name))

    def spoil(self, home: Home) -> dict[str, str]:
        """Put wrong secrets in the place of all; these, by name."""
        wrong = {name: _wrong(secret) for name, secret in home.secrets(self.name).items()}
        if wrong:
            home.credentials(self.name).save(wrong)
        return _all(wrong)

    @contextlib.contextmanager
    def unchanged(self, home: Home, what: str, hint: str) -> Iterator[None]:
        """Raises a violation when the block changes something in the stand-in or in the vault."""
        state, files = self.look(), contents(home.vault)
        yield
        if found := difference(state, self.look()):
            raise ViolationError(f"{what} changes what the service has: {found}", hint)
        if found := changed_files(files, contents(home.vault)):
            raise ViolationError(f"{what} changes the vault: {found}", hint)


def _all(known: Mapping[str, str]) -> dict[str, str]:
    inner = {f"{name}.{key}": one for name, secret in known.items() for key, one in secrets_within(secret).items()}
    return {**known, **inner}


def _wrong(secret: str) -> str:
    """One that nobody knows, in the same form: with a token that cannot be read no service would be asked."""
    inner = {name: _wrong("") for name in secrets_within(secret)}
    return json.dumps({**json.loads(secret), **inner}) if inner else f"wrong-{secrets.token_hex(8)}"


def approval(home: Home) -> dict[str, Any]:
    """How a person decided, as an action that asks first is told."""
    at = home.clock.now().isoformat(timespec="seconds")
    return {"approval": {"approved": True, "decided_by": "the test", "channel": "cli", "comment": "", "decided_at": at}}
