"""Which files are new: a pure comparison of what is there with what was known.

Notices of the operating system miss moved folders, network drives and Windows programs under WSL, so what counts is
looking: a file is new once it has stood still, was not here before, and did not just come from another name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aie.plain import Json

SETTLED_S = 1.0  # how long size and time must stand still
EMPTY_S = 30.0  # how long an empty file may still be about to be filled
GONE_S = 600.0  # how long a vanished file is remembered: a sync tool may bring it back, or a person move it


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as one look found it, or as it is known.

    ``sha`` is the first half of what identifies the content, 16 hex digits; empty where the file was not read or is too
    large.
    """

    size: int
    mtime_ns: int
    inode: int
    sha: str = ""

    def stands_as(self, other: Entry) -> bool:
        return (self.size, self.mtime_ns) == (other.size, other.mtime_ns)


@dataclass(frozen=True, slots=True)
class Listing:
    """What one look found: the watched folders, their files by vault path, and folders it could not look into."""

    files: Mapping[str, Entry]
    folders: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def unseen(self) -> tuple[str, ...]:
        return self.missing + self.unreadable


@dataclass(frozen=True, slots=True)
class Gone:
    """A known file that is no longer there: since when (seconds), and whether a second look has confirmed it."""

    entry: Entry
    since_s: float
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A new or changed file, and since when (seconds) it has stood like this."""

    entry: Entry
    since_s: float


@dataclass(frozen=True, slots=True)
class State:
    """What is known. ``folders`` are those whose first files have been taken as known; None before the first look."""

    folders: tuple[str, ...] | None = None
    known: Mapping[str, Entry] = field(default_factory=dict)
    gone: Mapping[str, Gone] = field(default_factory=dict)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)


def ready(state: State, listing: Listing, now_s: float) -> tuple[str, ...]:
    """The paths whose files have stood still for long enough to be read, before :func:`step` is asked about them."""
    if state.folders is None:
        return ()
    return tuple(
        path
        for path, waiting in state.waiting.items()
        if path in listing.files
        and waiting.entry.stands_as(listing.files[path])
        and now_s - waiting.since_s >= (SETTLED_S if waiting.entry.size else EMPTY_S)
    )


def step(
    state: State, listing: Listing, now_s: float, *, read: frozenset[str] = frozenset()
) -> tuple[State, list[str]]:
    """The state after this look, and the paths of the files that were added.

    ``read`` names the files of the listing that were :func:`ready` and have been read, their ``sha`` filled in. On the
    first look at a folder everything in it is known already: that is not news.
    """
    fresh = tuple(folder for folder in listing.folders if folder not in (state.folders or ()))
    known = {path: was for path, was in state.known.items() if path in listing.files or _under(path, listing.unseen)}
    gone = _gone(state, known, listing, now_s)
    waiting = {path: was for path, was in state.waiting.items() if path in listing.files}
    inodes = {was.inode: path for path, was in state.known.items() if was.inode} if read else {}
    added: list[str] = []
    for path, entry in listing.files.items():
        before = known.get(path)
        if before is not None and before.stands_as(entry):
            waiting.pop(path, None)
        elif before is None and _under(path, fresh):
            known[path] = entry
            gone.pop(path, None)
        elif path not in read:
            seen = waiting.get(path)
            if seen is None or not seen.entry.stands_as(entry):
                waiting[path] = Waiting(entry, now_s)
        else:
            origin = path if before is not None else _origin(path, entry, gone, listing)
            kept_aside = _kept_aside(entry, inodes.get(entry.inode), state, listing)
            if origin is None and not kept_aside:
                added.append(path)
            known[path] = entry
            waiting.pop(path, None)
            gone.pop(origin or path, None)
            gone.pop(path, None)
    return State(_looked_at(state, listing), known, gone, waiting), added


def moved(state: State, moves: Sequence[tuple[str, str]], folders: tuple[str, ...]) -> State:
    """The state after moves that aie made itself, as paths before and after, in watched ``folders`` or elsewhere.

    A file keeps what is known of it where it goes, and whatever comes under its old path is another one.
    """
    if not moves:
        return state
    known, gone, waiting = dict(state.known), dict(state.gone), dict(state.waiting)
    for before, after in moves:
        away = gone.pop(before, None)
        entry = known.pop(before, away.entry if away else None)
        waiting.pop(before, None)
        if entry is not None and _under(after, folders):
            known[after] = entry
    return replace(state, known=known, gone=gone, waiting=waiting)


def put_back(state: State, paths: Iterable[str], now_s: float) -> State:
    """The state with these files, which could not be read, behind all others that wait."""
    again = {path: replace(state.waiting[path], since_s=now_s) for path in paths if path in state.waiting}
    return replace(state, waiting={path: was for path, was in state.waiting.items() if path not in again} | again)


def _gone(state: State, known: Mapping[str, Entry], listing: Listing, now_s: float) -> dict[str, Gone]:
    gone = {path: Gone(was, now_s) for path, was in state.known.items() if path not in known}
    for path, was in state.gone.items():
        if now_s - was.since_s < GONE_S:
            confirmed = path not in listing.files and now_s - was.since_s >= SETTLED_S
            gone[path] = replace(was, deleted=was.deleted or confirmed)
    return gone


def _origin(path: str, entry: Entry, gone: Mapping[str, Gone], listing: Listing) -> str | None:
    """The path under which a file that just appeared was known: its own (saved anew, brought back), or another."""
    here = gone.get(path)
    if here is not None and (not here.deleted or here.entry.stands_as(entry) or _same_file(here.entry, entry)):
        return path
    elsewhere = (old for old, was in gone.items() if old not in listing.files and _same_file(was.entry, entry))
    return next(elsewhere, None)


def _same_file(was: Entry, now: Entry) -> bool:
    if was.sha and was.sha == now.sha:
        return now.size > 0
    return was.stands_as(now) and was.inode == now.inode and was.inode != 0


def _kept_aside(entry: Entry, old: str | None, state: State, listing: Listing) -> bool:
    """Whether this is a known file under a new name, its own name being in use again: an editor keeping a backup."""
    if old is None or old not in listing.files:
        return False
    return state.known[old].stands_as(entry) and listing.files[old].inode != entry.inode


def _looked_at(state: State, listing: Listing) -> tuple[str, ...]:
    """A folder that cannot be read has not had its first look, unless it had one before."""
    before = state.folders or ()
    return tuple(folder for folder in listing.folders if folder in before or folder not in listing.unreadable)


def _under(path: str, folders: tuple[str, ...]) -> bool:
    return any(folder in {".", path} or path.startswith(f"{folder}/") for folder in folders)


# --- the state as a source's cursor ------------------------------------------------------------------------------


def to_cursor(state: State) -> Json:
    """The durable part of the state, compact. What still waits is looked at anew after a restart."""
    return {
        "version": 1,
        "folders": list(state.folders or ()),
        "files": {path: _row(entry) for path, entry in state.known.items()},
        "gone": {path: [*_row(was.entry), round(was.since_s, 3)] for path, was in state.gone.items()},
    }


def from_cursor(cursor: Json) -> State:
    """The state a cursor holds; a new one for None or for what this version did not write."""
    if not isinstance(cursor, dict) or cursor.get("version") != 1:
        return State()
    folders, files, gone = cursor["folders"], cursor["files"], cursor["gone"]
    assert isinstance(folders, list)
    assert isinstance(files, dict)
    assert isinstance(gone, dict)
    return State(
        tuple(str(folder) for folder in folders),
        {path: _entry(row) for path, row in files.items()},
        {path: Gone(_entry(row), _seconds(row), deleted=True) for path, row in gone.items()},
    )


def _row(entry: Entry) -> list[Json]:
    return [entry.size, entry.mtime_ns, entry.inode, entry.sha]


def _entry(row: Json) -> Entry:
    assert isinstance(row, list)
    size, mtime_ns, inode, sha = row[:4]
    assert isinstance(size, int)
    assert isinstance(mtime_ns, int)
    assert isinstance(inode, int)
    return Entry(size, mtime_ns, inode, str(sha))


def _seconds(row: Json) -> float:
    assert isinstance(row, list)
    assert isinstance(row[4], (int, float))
    return float(row[4])
