"""Credentials: the secrets of a connection to a service, kept where no file of the vault is.

They are in the system's keyring where there is a usable one, else in a file that only this user may read, in the folder
``credentials`` beside the journal. Environment variables, ``AIE_<PLUGIN>__<NAME>``, win over both. What is known of the
connection and is no secret (whose account, until when) stands in that file in any case.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from aie.errors import ConfigError

MASK = "‹redacted›"
LEAST_MASKED = 6  # characters: a shorter secret stands in too many innocent words
_TOKENS = ("access_token", "refresh_token", "id_token")
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,79}")


def secrets_within(secret: str) -> dict[str, str]:
    """The secrets by name in one that is an OAuth token as JSON text (RFC 6749, 5.1); empty for any other."""
    try:
        token = json.loads(secret) if secret.startswith("{") else {}
    except ValueError:
        return {}
    return {name: token[name] for name in _TOKENS if isinstance(token.get(name), str)}


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """What is known of a connection and is no secret."""

    account: str = ""  # whose: an address, a name
    connected_at: datetime | None = None  # aware
    expires_at: datetime | None = None  # aware: when a person has to connect anew; None: never, or nobody knows
    scopes: tuple[str, ...] = ()
    trouble: str = ""  # why it does not work any more, in words for a person; '' while it does
    details: Mapping[str, Any] = field(default_factory=dict)  # the plugin's own, plain JSON data


class CredentialStore:
    """All connections of one vault. It remembers the secrets it gave out, so that they can be taken out of texts."""

    def __init__(self, folder: Path | None, env: Mapping[str, str], *, keyring: bool = True) -> None:
        self._folder = folder
        self._env = env
        self._given: set[str] = set()
        self._keyring = keyring and env.get("AIE_KEYRING", "") not in ("0", "off", "no")
        self._open: dict[str, Credentials] = {}

    def of(self, name: str) -> Credentials:
        """The connection with this name, whether it has been made or not."""
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a connection")
        if name not in self._open:
            self._open[name] = Credentials(self, name)
        return self._open[name]

    def names(self) -> list[str]:
        """Every connection that has been made."""
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted(path.stem for path in self._folder.glob("*.json") if NAME.fullmatch(path.stem))

    def masked(self, text: str) -> str:
        """The text without any secret that was given out."""
        for secret in self._given:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def remember(self, secret: str) -> str:
        """The secret; from now on it is taken out of texts, and so is what is secret within it."""
        self._given |= {one for one in (secret, *secrets_within(secret).values()) if len(one) >= LEAST_MASKED}
        return secret

    # --- the file and the keyring ---------------------------------------------------------------------------------

    def read(self, name: str) -> dict[str, Any]:
        path = self._path(name)
        try:
            data = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the credentials of {name} cannot be read: {type(error).__name__}",
                where=str(path),
                hint=f"connect anew: aie connect {name}",
            ) from None
        return data if isinstance(data, dict) else {}

    def write(self, name: str, data: Mapping[str, Any]) -> None:
        """Whole or not at all, for this user's eyes only."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(prefix=".aie-", suffix=".tmp", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(data, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def lock(self, name: str) -> FileLock:
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return FileLock(path.with_suffix(".lock"), timeout=60)

    def from_environment(self, name: str, key: str) -> str:
        return self._env.get(f"AIE_{name}__{key}".upper().replace(".", "__").replace("-", "_"), "")

    def keyring(self) -> Any:
        """The keyring package with a backend that can keep something; None where there is none."""
        if not self._keyring:
            return None
        try:
            import keyring  # noqa: PLC0415 - an extra of this package, and slow to import
            from keyring.backends import fail, null  # noqa: PLC0415
        except ImportError:
            return None
        backend = keyring.get_keyring()
        return None if isinstance(backend, (fail.Keyring, null.Keyring)) else keyring

    def service(self, name: str) -> str:
        """What the keyring knows this vault's connection by."""
        assert self._folder is not None
        return f"aie/{self._folder.parent.name}/{name}"

    def _path(self, name: str) -> Path:
        if self._folder is None:
            raise ConfigError("there is no place for credentials", where=name, hint="open a vault first")
        return self._folder / f"{name}.json"

    def place(self, name: str) -> Path:
        """The file with what is known of a connection."""
        return self._path(name)

    @property
    def anywhere(self) -> bool:
        """Whether there is a place to read from."""
        return self._folder is not None


class Credentials:
    """The secrets of one connection, by name. Read anew each time: another process may have renewed them."""

    def __init__(self, store: CredentialStore, name: str) -> None:
        self._store = store
        self.name = name

    def __repr__(self) -> str:
        return f"Credentials({self.name!r})"

    def get(self, key: str) -> str | None:
        """A secret; None if it was never stored. The environment variable ``AIE_<NAME>__<KEY>`` wins."""
        if said := self._store.from_environment(self.name, key):
            return self._store.remember(said)
        if not self._store.anywhere:
            return None
        data = self._store.read(self.name)
        value = data.get("secrets", {}).get(key)
        if value is None and key in data.get("in_keyring", ()):
            keyring = self._store.keyring()
            value = keyring.get_password(self._store.service(self.name), key) if keyring else None
            if value is None:
                raise ConfigError(
                    f"the {key} of {self.name} is in the keyring, which does not give it out",
                    where=self.name,
                    hint=f"unlock the keyring, or connect anew: aie connect {self.name}",
                )
        return None if value is None else self._store.remember(str(value))

    def require(self, key: str) -> str:
        """A secret that must be there; :class:`ConfigError` says how to store it."""
        value = self.get(key)
        if value is None:
            raise ConfigError(f"{self.name} is not connected", where=self.name, hint=f"aie connect {self.name}")
        return value

    @property
    def record(self) -> ConnectionRecord | None:
        """What is known of the connection; None if it was never made."""
        if not self._store.anywhere:
            return None
        data = self._store.read(self.name).get("record")
        if not isinstance(data, dict):
            return None
        fields = {key: value for key, value in data.items() if key in ConnectionRecord.__dataclass_fields__}
        for key in ("connected_at", "expires_at"):
            fields[key] = datetime.fromisoformat(fields[key]) if fields.get(key) else None
        fields["scopes"] = tuple(fields.get("scopes") or ())
        return ConnectionRecord(**fields)

    def save(self, secrets: Mapping[str, str | None], record: ConnectionRecord | None = None) -> str:
        """Store secrets (None takes one away) and what is known; the others stay. Gives where they are, for a person.

        The caller holds :meth:`locked` if what it stores was made from what it read.
        """
        data = self._store.read(self.name)
        in_file = dict(data.get("secrets", {}))
        in_keyring = list(data.get("in_keyring", ()))
        keyring = self._store.keyring()
        for key, value in secrets.items():
            in_file.pop(key, None)
            if value is not None:
                self._store.remember(value)
            if keyring is not None and self._kept(keyring, key, value, known=key in in_keyring):
                in_keyring = [*(one for one in in_keyring if one != key), *([] if value is None else [key])]
                continue
            in_keyring = [one for one in in_keyring if one != key]
            if value is not None:
                in_file[key] = value
        new = data | {"secrets": in_file, "in_keyring": in_keyring}
        if record is not None:
            new["record"] = _plain(record)
        self._store.write(self.name, new)
        return "the system's keyring" if in_keyring and not in_file else str(self._store.place(self.name))

    def _kept(self, keyring: Any, key: str, value: str | None, *, known: bool) -> bool:
        """Whether the keyring did it: one that is locked or has no room for so long a text does not."""
        service = self._store.service(self.name)
        try:
            if value is not None:
                keyring.set_password(service, key, value)
            elif known:
                keyring.delete_password(service, key)
        except Exception:  # whatever a backend raises: the file takes it
            return False
        return True

    def note(self, **changes: Any) -> None:
        """Change what is known of the connection, for example ``trouble="…"``; nothing is written if it is known."""
        before = self.record or ConnectionRecord()
        after = replace(before, **changes)
        if after != before:
            with self.locked():
                self._store.write(self.name, self._store.read(self.name) | {"record": _plain(after)})

    def forget(self) -> bool:
        """Take away all of it; False if there was nothing."""
        data = self._store.read(self.name)
        keyring = self._store.keyring() if data.get("in_keyring") else None
        for key in data.get("in_keyring", ()):
            if keyring is not None:
                self._kept(keyring, key, None, known=True)
        self._store.remove(self.name)
        return bool(data)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """For whoever renews a token: two processes that renew the same one lose it."""
        with self._store.lock(self.name):
            yield

    def remember(self, secret: str) -> str:
        """A secret that came another way; from now on it is taken out of what goes on record."""
        return self._store.remember(secret)

    def of(self, name: str) -> Credentials:
        """Another connection, for plugins that share an account."""
        return self._store.of(name)

    @classmethod
    def none(cls) -> Credentials:
        """Credentials that hold nothing, for tests and dry runs."""
        return CredentialStore(None, {}).of("none")


def _plain(record: ConnectionRecord) -> dict[str, Any]:
    data = asdict(record)
    for key in ("connected_at", "expires_at"):
        data[key] = data[key].isoformat() if data[key] else None
    return data | {"scopes": list(record.scopes), "details": dict(record.details)}
