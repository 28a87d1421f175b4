"""Pictures: files of the vault that can go with a post, checked before anything is sent."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aie.errors import ActionError, ParameterError
from aie.files import Files
from aie_linkedin.api import Api

MAX_BYTES = 8_000_000
MAX_PIXELS = 36_152_320  # LinkedIn's own limit: fewer than this
_JPEG_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # the segments that tell width and height
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that LinkedIn takes. ``data`` is the file as it is."""

    path: str
    alt: str
    media_type: str
    width: int
    height: int
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def read_picture(vault: Path, path: str, alt: str) -> Picture:
    """The picture at this path of the vault; ParameterError says why it cannot be posted."""
    try:
        with Files().folder_of(vault, path, create=False, protected=()) as (folder, name), folder.open(name) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ParameterError(
            f"the picture {path!r} cannot be read: {error.strerror}",
            where="image_path",
            hint="write its path from the top of the vault, such as Assets/opening-hours.png",
        ) from None
    if len(data) > MAX_BYTES:
        raise _wrong(path, f"is larger than {MAX_BYTES // 1_000_000} MB", "save a smaller one")
    found = _kind(data)
    if found is None:
        raise _wrong(path, "is no JPG, PNG or GIF", "save it as one; the file's content counts, not its name")
    media_type, width, height = found
    if width * height >= MAX_PIXELS or not width or not height:
        raise _wrong(path, f"is {width} by {height} pixels, more than LinkedIn takes", "save a smaller one")
    return Picture(path, alt, media_type, width, height, data)


async def upload(api: Api, author: str, pictures: Sequence[Picture]) -> list[str]:
    """The URNs of the pictures at LinkedIn, which goes on working on them for some seconds."""
    urns = []
    for picture in pictures:
        scope = "w_organization_social" if ":organization:" in author else "w_member_social"
        answer = await api.call(
            "POST",
            "/rest/images?action=initializeUpload",
            "uploading a picture",
            body={"initializeUploadRequest": {"owner": author}},
            scope=scope,
        )
        try:
            value = answer.json()["value"]
            url, urn = str(value["uploadUrl"]), str(value["image"])
        except (ValueError, KeyError, TypeError):
            raise ActionError("LinkedIn does not say where the picture goes", where="POST /rest/images") from None
        _refuse_strangers(url, api.settings.api_url)
        # In one piece: LinkedIn keeps pictures that come in several, and cannot show them.
        await api.send(
            "PUT", url, "uploading a picture", headers={"Content-Type": picture.media_type}, content=picture.data
        )
        urns.append(urn)
    if urns:
        await asyncio.sleep(api.settings.picture_wait_s)
    return urns


# --- what was shown is what is posted -----------------------------------------------------------------------------


def remember_shown(cache_dir: Path, step: str, pictures: Sequence[Picture]) -> None:
    """Keep which pictures a person was shown for this step."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    Files().write(_shown_file(cache_dir, step), json.dumps([picture.sha256 for picture in pictures]).encode())


def forget_shown(cache_dir: Path, step: str) -> None:
    """The step is done."""
    with contextlib.suppress(OSError):
        _shown_file(cache_dir, step).unlink()


def refuse_others(cache_dir: Path, step: str, pictures: Sequence[Picture]) -> None:
    """ActionError if the files are not those that were shown."""
    try:
        shown = json.loads(_shown_file(cache_dir, step).read_bytes())
    except (OSError, ValueError):  # nobody was asked, or the cache is gone
        return
    if shown != [picture.sha256 for picture in pictures]:
        raise ActionError(
            "the pictures are not the ones that were approved: a file has changed since",
            where="image_path",
            hint="start the run again, and look at the picture before approving",
        )


def _shown_file(cache_dir: Path, step: str) -> Path:
    return cache_dir / f"shown-{hashlib.sha256(step.encode()).hexdigest()[:24]}.json"


def _refuse_strangers(url: str, api_url: str) -> None:
    """The token goes along with the picture, so only to LinkedIn."""
    address, api = urlsplit(url), urlsplit(api_url)
    host = address.hostname or ""
    at_home = host == api.hostname and address.scheme == api.scheme
    if not at_home and not (address.scheme == "https" and host.endswith(".linkedin.com")):
        raise ActionError(f"LinkedIn names a strange place to upload to, {host!r}", where="POST /rest/images")


# --- what a file is ------------------------------------------------------------------------------------------------


def _kind(data: bytes) -> tuple[str, int, int] | None:
    """Media type, width and height, by what the file holds."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR" and len(data) >= 24:
        return ("image/png", *struct.unpack(">II", data[16:24]))
    if data.startswith((b"GIF87a", b"GIF89a")) and len(data) >= 10:
        return ("image/gif", *struct.unpack("<HH", data[6:10]))
    size = _jpeg_size(data) if data.startswith(b"\xff\xd8\xff") else None
    return ("image/jpeg", *size) if size else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        if marker in _JPEG_ALONE or marker == 0xFF:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _wrong(path: str, problem: str, hint: str) -> ParameterError:
    return ParameterError(f"the picture {path!r} {problem}", where="image_path", hint=hint)
