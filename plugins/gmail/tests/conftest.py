"""What the tests of this plugin share."""

from __future__ import annotations

import sys
from pathlib import Path

import hypothesis
import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent.parent.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))  # for `from gmail_dovecot import …` and `from tests.aie_home import …`

from gmail_dovecot import Dovecot, dovecot_is_there  # noqa: E402

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
