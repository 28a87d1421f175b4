"""What the tests of this plugin share."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import hypothesis
import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent.parent.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))  # for `from gmail_dovecot import …` and `from tests.aie_home import …`

from gmail_dovecot import Dovecot, dovecot_is_there  # noqa: E402
from gmail_house import NOW  # noqa: E402

from aie.testing import Home  # noqa: E402

PASSWORD = {"password": "secret"}

hypothesis.settings.register_profile("aie", deadline=None)
hypothesis.settings.load_profile("aie")


@pytest.fixture(scope="session")
def dovecot_server():
    """One Dovecot for all tests; each takes an account of its own."""
    if not dovecot_is_there():
        pytest.skip("Dovecot is not installed: apt-get install dovecot-core dovecot-imapd dovecot-lmtpd")
    with Dovecot() as server:
        yield server


@pytest.fixture
def dovecot(dovecot_server, request):
    """A mailbox nobody has used before."""
    return dovecot_server.account()


@pytest.fixture
def at_home(tmp_path):
    """Makes a Home with the plugin, from its settings and secrets."""
    with contextlib.ExitStack() as homes:

        def made(settings, secrets=PASSWORD, *, now=NOW):
            given = {"settings": {"gmail": settings}, "credentials": {"gmail": secrets} if secrets else {}}
            return homes.enter_context(Home(tmp_path, "gmail", now=now, **given))

        yield made
