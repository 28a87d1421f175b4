"""The moves that aie makes itself, from the action to whoever watches the same vault in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Move = tuple[str, str]  # the vault path before, and after


class Moves:
    """Without it a watcher takes a file that vanished for one that a person moved, or a sync tool will bring back."""

    def __init__(self) -> None:
        self._heard: dict[Path, deque[Move]] = {}

    @contextmanager
    def heard(self, vault: Path) -> Iterator[deque[Move]]:
        """The moves in this vault from now on, the oldest first; whoever listens takes them out."""
        moves = self._heard[vault] = deque()
        try:
            yield moves
        finally:
            if self._heard.get(vault) is moves:
                del self._heard[vault]

    def tell(self, vault: Path, before: str, after: str) -> None:
        """Say that a file was moved; from any thread."""
        moves = self._heard.get(vault)
        if moves is not None:
            moves.append((before, after))


MOVES = Moves()
"""Those of this process: a source and an action are made by two hooks that have nothing else in common."""
