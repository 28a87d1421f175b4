"""Credentials: where secrets are kept, who may read them, and that they show up nowhere else."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import keyring
import pytest

from aie.config import Config
from aie.credentials import ConnectionRecord, CredentialStore
from aie.errors import ConfigError

RECORD = ConnectionRecord("me@example.com", datetime(2026, 2, 9, tzinfo=UTC), datetime(2026, 4, 9, tzinfo=UTC), ("a",))
BACKEND = """
import json, os
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 1

    def _all(self):
        try:
            with open(os.environ["TEST_KEYRING"]) as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def _put(self, all):
        with open(os.environ["TEST_KEYRING"], "w") as file:
            json.dump(all, file)

    def get_password(self, service, user):
        return self._all().get(f"{service} {user}")

    def set_password(self, service, user, password):
        if len(password) > 100:
            raise OverflowError("too long for this keyring")
        self._put({**self._all(), f"{service} {user}": password})

    def delete_password(self, service, user):
        all = self._all()
        del all[f"{service} {user}"]
        self._put(all)
"""


@pytest.fixture
def store(tmp_path: Path) -> CredentialStore:
    return CredentialStore(tmp_path / "state" / "credentials", {"AIE_KEYRING": "off"})


def test_what_is_stored_comes_back_also_in_another_process(store: CredentialStore, tmp_path: Path) -> None:
    mail = store.of("gmail")
    assert (mail.get("password"), mail.record, store.names()) == (None, None, [])
    place = mail.save({"password": "s3cret-word", "other": "x"}, RECORD)
    again = CredentialStore(tmp_path / "state" / "credentials", {}).of("gmail")
    assert (again.get("password"), again.get("other"), again.record) == ("s3cret-word", "x", RECORD)
    assert (place, store.names()) == (str(tmp_path / "state" / "credentials" / "gmail.json"), ["gmail"])


def test_only_this_user_may_read_the_file(store: CredentialStore, tmp_path: Path) -> None:
    store.of("gmail").save({"password": "x"})
    folder = tmp_path / "state" / "credentials"
    assert (oct(folder.stat().st_mode & 0o777), oct((folder / "gmail.json").stat().st_mode & 0o777)) == (
        "0o700",
        "0o600",
    )


def test_saving_keeps_what_it_does_not_name_and_none_takes_away(store: CredentialStore) -> None:
    mail = store.of("gmail")
    mail.save({"a": "1", "b": "2"}, RECORD)
    mail.save({"b": None, "c": "3"})
    assert (mail.get("a"), mail.get("b"), mail.get("c"), mail.record) == ("1", None, "3", RECORD)
    assert (mail.forget(), mail.forget(), mail.get("a"), store.names()) == (True, False, None, [])


def test_the_environment_wins(tmp_path: Path) -> None:
    store = CredentialStore(tmp_path, {"AIE_GMAIL__PASSWORD": "from-the-environment", "AIE_KEYRING": "off"})
    store.of("gmail").save({"password": "stored"})
    assert store.of("gmail").get("password") == "from-the-environment"


def test_secrets_that_were_given_out_are_taken_out_of_texts(store: CredentialStore) -> None:
    store.of("gmail").save({"password": "hunter2hunter2", "pin": "1234"})
    assert store.masked("login hunter2hunter2 failed, 1234") == "login ‹redacted› failed, 1234"


def test_the_parts_of_a_token_are_taken_out_of_texts_as_well(store: CredentialStore) -> None:
    token = {"access_token": "ya29-access", "refresh_token": "1//renewing", "token_type": "Bearer", "expires_at": 4e9}
    store.of("gmail").save({"token": json.dumps(token)})
    said = f"Bearer ya29-access is over, 1//renewing too, {json.dumps(token)} as a whole"
    for words in ("ya29-access", "1//renewing"):
        assert words not in store.masked(said)
    assert store.masked("Bearer ya29-access is over") == "Bearer ‹redacted› is over"


def test_notes_about_a_connection_leave_its_secrets_alone(store: CredentialStore) -> None:
    mail = store.of("gmail")
    mail.save({"password": "x"}, RECORD)
    mail.note(trouble="the password is refused")
    assert mail.record is not None
    assert (mail.record.trouble, mail.record.account, mail.get("password")) == (
        "the password is refused",
        "me@example.com",
        "x",
    )


def test_a_missing_connection_says_how_to_make_it(store: CredentialStore) -> None:
    with pytest.raises(ConfigError) as caught:
        store.of("gmail").require("password")
    assert caught.value.as_dict() == {"error": "gmail is not connected", "where": "gmail", "hint": "aie connect gmail"}


def test_a_file_that_is_not_whole_says_what_to_do_and_is_kept(store: CredentialStore, tmp_path: Path) -> None:
    store.of("gmail").save({"password": "x"})
    path = tmp_path / "state" / "credentials" / "gmail.json"
    path.write_text('{"secrets": {"pass')
    with pytest.raises(ConfigError, match="the credentials of gmail cannot be read: JSONDecodeError"):
        store.of("gmail").get("password")
    assert path.read_text() == '{"secrets": {"pass'


def test_a_name_cannot_lead_elsewhere(store: CredentialStore) -> None:
    for name in ("../x", "", "A", ".x", "a/b"):
        with pytest.raises(ValueError, match="cannot be the name of a connection"):
            store.of(name)


def test_a_state_folder_within_the_vault_does_not_take_the_credentials_with_it(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    vault.mkdir()
    beside = Config.load(vault, {"AIE_STATE_DIR": str(tmp_path / "state")})
    within = Config.load(vault, {"AIE_STATE_DIR": str(vault / ".state")})
    assert beside.credentials_dir == tmp_path / "state" / "credentials"
    assert not within.credentials_dir.is_relative_to(vault)


def test_a_keyring_is_used_where_there_is_one_and_the_file_has_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keyring_of_the_test.py").write_text(BACKEND)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TEST_KEYRING", str(tmp_path / "ring.json"))
    before = keyring.get_keyring()
    keyring.set_keyring(__import__("keyring_of_the_test").Keyring())
    try:
        store = CredentialStore(tmp_path / "state" / "credentials", {})
        mail = store.of("gmail")
        assert mail.save({"password": "in the ring", "token": "t" * 200}, RECORD) == str(
            tmp_path / "state" / "credentials" / "gmail.json"
        )  # the token was too long for the ring
        file = json.loads((tmp_path / "state" / "credentials" / "gmail.json").read_text())
        assert (file["secrets"], file["in_keyring"]) == ({"token": "t" * 200}, ["password"])
        assert json.loads((tmp_path / "ring.json").read_text()) == {"aie/state/gmail password": "in the ring"}
        assert (mail.get("password"), mail.get("token")) == ("in the ring", "t" * 200)
        assert mail.save({"token": None}) == "the system's keyring"
        assert mail.forget()
        assert json.loads((tmp_path / "ring.json").read_text()) == {}
    finally:
        keyring.set_keyring(before)
        sys.modules.pop("keyring_of_the_test", None)
    assert os.environ["TEST_KEYRING"]
