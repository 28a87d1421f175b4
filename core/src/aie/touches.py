"""What a plugin reaches outside of aie, as its author declares it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Touches:
    """Hosts on the network, folders of the vault, commands. Nothing holds a plugin to it: it is for people to read.

    A host is a name, with its port where that is unusual, or in words where only the set-up decides. A folder or file
    is relative to the vault; ``.`` is the whole vault. A command is a program that is started.
    """

    hosts: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    @classmethod
    def at(cls, *addresses: str) -> Touches:
        """The hosts of these addresses, ``https://shop.example/api`` or ``shop.example``; empty ones are left out."""
        return cls(hosts=tuple(dict.fromkeys(_host(address) for address in addresses if address)))

    def __or__(self, other: Touches) -> Touches:
        """What either of the two touches, each once."""
        return Touches(
            hosts=tuple(dict.fromkeys(self.hosts + other.hosts)),
            folders=tuple(dict.fromkeys(self.folders + other.folders)),
            commands=tuple(dict.fromkeys(self.commands + other.commands)),
        )

    def __bool__(self) -> bool:
        return bool(self.hosts or self.folders or self.commands)


NOTHING = Touches()


def _host(address: str) -> str:
    if "://" not in address:
        return address
    return urlsplit(address).netloc.rpartition("@")[2]  # without a name and password
