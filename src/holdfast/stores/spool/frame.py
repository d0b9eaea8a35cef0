"""How records lie in a segment, so that whatever happens to it the others can still be read.

    segment = magic(16) record*
    record  = marker(8) index(4) start(4) length(4) crc32(4) sealed(length)

The segment's name has a random part; it and the index are bound into what is sealed, so no record
passes for another.
`start` is the index of the first record of the same flush. A flush begins when the one before it
is on disk. So records that are missing before the last flush were damaged; those of the last flush
may never have reached the disk, and nobody was told that they had.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

import msgspec

MAGIC: Final = b"HOLDFAST-SPOOL-1"
HEAD: Final = len(MAGIC)
MARKER: Final = b"\xc5HFspool"
_HEADER: Final = struct.Struct(">8sIIII")
HEADER: Final = _HEADER.size


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record that is whole: where it begins, its number, that of its flush, its content."""

    offset: int
    index: int
    start: int
    sealed: bytes


def pack(index: int, start: int, sealed: bytes) -> bytes:
    """Return a record as it lies in a segment."""
    return _HEADER.pack(MARKER, index, start, len(sealed), _crc(index, start, sealed)) + sealed


def length(header: bytes) -> int:
    """Return the length of a record's content."""
    return int(_HEADER.unpack(header)[3])


def records(content: bytes) -> Iterator[Record]:
    """Yield every whole record of a segment; what is between them is passed over."""
    offset = HEAD
    while (offset := content.find(MARKER, offset)) >= 0:
        found = at(content, offset)
        if found is None:
            offset += 1
        else:
            yield found
            offset += HEADER + len(found.sealed)


def at(content: bytes, offset: int) -> Record | None:
    """Return the record that begins there, None: there is no whole one."""
    body = offset + HEADER
    if len(content) < body:
        return None
    marker, index, start, size, crc = _HEADER.unpack_from(content, offset)
    sealed = content[body : body + size]
    if marker != MARKER or len(sealed) < size or crc != _crc(index, start, sealed):
        return None
    return Record(offset, index, start, sealed)


def missing(found: list[Record]) -> int:
    """Return how many records of finished flushes are not among those that were found."""
    if not found:
        return 0
    seen = {record.index for record in found}
    return sum(index not in seen for index in range(found[-1].start))


def _crc(index: int, start: int, sealed: bytes) -> int:
    return zlib.crc32(sealed, zlib.crc32(struct.pack(">III", index, start, len(sealed))))
