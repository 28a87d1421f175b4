"""Pictures for the tests to post."""

from __future__ import annotations

import struct
import zlib

from aie.testing import Home


def put_picture(home: Home, path: str, width: int = 4, height: int = 3) -> bytes:
    """Write a PNG of this size into the vault."""
    data = png(width, height)
    (home.vault / path).parent.mkdir(parents=True, exist_ok=True)
    (home.vault / path).write_bytes(data)
    return data


def png(width: int, height: int) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xc8" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
