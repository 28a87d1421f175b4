"""Changes as the operating system reports them: they shorten the wait until the next look, and decide nothing."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from logging import Logger
from pathlib import Path

from aie_vault.settings import VaultSettings

# File systems on which changes made elsewhere (another computer, a Windows program under WSL) are not reported.
_SILENT = (
    "9p",
    "drvfs",
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "fuse",
    "vboxsf",
    "virtiofs",
    "davfs",
    "afpfs",
    "ceph",
)


@contextlib.asynccontextmanager
async def changes(vault: Path, settings: VaultSettings, log: Logger) -> AsyncIterator[asyncio.Event]:
    """An event that is set when something changed in a watched folder; never set where that cannot be known."""
    changed = asyncio.Event()
    folders = [vault / folder for folder in settings.watch if (vault / folder).is_dir()]
    wanted = settings.native_watching is True or (settings.native_watching == "auto" and reports_changes(vault))
    if not wanted or not folders:
        yield changed
        return
    loop, stop = asyncio.get_running_loop(), threading.Event()
    report = partial(loop.call_soon_threadsafe, changed.set)
    with ThreadPoolExecutor(1, "aie-vault-watch") as thread:
        watching = loop.run_in_executor(thread, _watch, folders, report, stop, log)
        try:
            yield changed
        finally:
            stop.set()
            await asyncio.wait([watching])


def reports_changes(vault: Path, mounts: str | None = None) -> bool:
    """Whether the file system under the vault can be expected to report all changes. ``mounts``: as /proc/mounts."""
    if sys.platform == "win32":
        return not str(vault).startswith("\\\\")
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(errors="replace")
        except OSError:  # macOS: local folders report, and for the others looking is enough
            return True
    path = vault.resolve()
    kinds = {}
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) > 2:
            place = Path(fields[1].replace("\\040", " "))
            if path.is_relative_to(place):
                kinds[len(place.parts)] = fields[2]
    kind = kinds[max(kinds)] if kinds else ""
    return not kind.split(".")[0].startswith(_SILENT)


def _watch(folders: list[Path], report: Callable[[], object], stop: threading.Event, log: Logger) -> None:
    # Imported here because every aie command loads this plugin and only "aie start" watches. Not awatch: that one needs
    # anyio, which is another megabyte.
    from watchfiles import watch  # noqa: PLC0415

    try:
        for _ in watch(*folders, watch_filter=None, debounce=200, step=50, stop_event=stop, force_polling=False):
            report()
    except (OSError, RuntimeError) as error:  # no watches left, or a file system without them
        log.info("changes in the vault are found by looking only: %s", error)
