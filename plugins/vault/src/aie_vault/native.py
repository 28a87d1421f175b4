"""Changes as the operating system reports them: they shorten the wait until the next look, and decide nothing."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
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
    stop = asyncio.Event()
    folders = [vault / folder for folder in settings.watch if (vault / folder).is_dir()]
    wanted = settings.native_watching is True or (settings.native_watching == "auto" and reports_changes(vault))
    if not wanted or not folders:
        yield changed
        return
    watching = asyncio.create_task(_watch(folders, changed, stop, log))
    try:
        yield changed
    finally:
        stop.set()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


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


async def _watch(folders: list[Path], changed: asyncio.Event, stop: asyncio.Event, log: Logger) -> None:
    # Imported here because every aie command loads this plugin and only "aie start" watches.
    from watchfiles import awatch  # noqa: PLC0415

    try:
        async for _ in awatch(
            *folders, watch_filter=None, debounce=200, step=50, stop_event=stop, force_polling=False, recursive=True
        ):
            changed.set()
    except (OSError, RuntimeError) as error:  # no watches left, or a file system without them
        log.info("changes in the vault are found by looking only: %s", error)
