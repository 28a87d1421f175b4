"""What plugins say they touch."""

from __future__ import annotations

import pytest

from aie.touches import NOTHING, Touches


def test_addresses_become_hosts_each_once_and_without_a_password() -> None:
    addresses = ("https://user:secret@shop.example:8443/api", "https://shop.example:8443/", "", "imap.example")
    assert Touches.at(*addresses) == Touches(hosts=("shop.example:8443", "imap.example"))


def test_together_they_touch_what_either_does() -> None:
    one = Touches(hosts=("a.example",), folders=("Inbox",))
    other = Touches(hosts=("b.example", "a.example"), commands=("git",))
    assert one | other == Touches(hosts=("a.example", "b.example"), folders=("Inbox",), commands=("git",))


@pytest.mark.parametrize("something", [Touches(hosts=("a",)), Touches(folders=("a",)), Touches(commands=("a",))])
def test_nothing_is_told_from_something(something: Touches) -> None:
    assert (bool(something), bool(NOTHING)) == (True, False)
