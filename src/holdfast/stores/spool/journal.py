"""The spool's journal: segments that grow at one end and go at the other."""

import contextlib
import errno
import itertools
import logging
import re
import secrets
from collections import deque
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from holdfast.errors import StoreError, StoreFull, VaultError
from holdfast.spool import Found, Spooled
from holdfast.store import Accept
from holdfast.stores.spool import frame
from holdfast.stores.spool.files import Files
from holdfast.telemetry import LogEvent, log
from holdfast.vault import Vault

SEGMENT_BYTES: Final = 4 << 20
"""A segment that is larger gets no more records; it is deleted when all of it is in the store."""
PAGE_BYTES: Final = 8 << 20
"""`oldest` returns no more than this, but for a single message that is larger."""
KEPT: Final = ".kept"
"""Added to the name of a segment of which something could not be read, or was refused."""
NAME: Final = re.compile(r"(\d{8,})-([0-9a-f]{16})\.spool(\.kept)?")
"""Number, a random part, and whether it is kept."""
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Accept)
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)


class Segment:
    """One file. `next` is the index of the next record, `kept`: it must not be deleted."""

    def __init__(self, number: int, ident: str) -> None:
        self.number = number
        self.ident = ident
        self.size = 0
        self.next = 0
        self.kept = False

    @property
    def name(self) -> str:
        """Return the file's name."""
        return name_of(self.number, self.ident)

    def owner(self, index: int) -> str:
        """Return what a record is sealed for."""
        return f"spool:{self.ident}:{index}"


def name_of(number: int, ident: str) -> str:
    """Return the name of a segment."""
    return f"{number:08d}-{ident}.spool"


class Journal:
    """Reads what is there, then takes more. Not for several threads but for `at`.

    Args:
        files: where it is.
        vault: seals and opens.
        max_bytes: of all segments.
        segment_bytes: of one.
    """

    def __init__(
        self, files: Files, vault: Vault, *, max_bytes: int, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._files = files
        self._vault = vault
        self.limit = max_bytes
        self._segment_bytes = segment_bytes
        self._segments: dict[int, Segment] = {}
        self._places: deque[int] = deque()
        self._current: Segment | None = None
        self.size = 0
        self._kept = 0
        self._last = 0
        self.found = self._read_all()

    @property
    def messages(self) -> int:
        """Return how many messages are in it."""
        return len(self._places)

    @property
    def kept(self) -> int:
        """Return how many files a person should look at."""
        return self._kept + sum(segment.kept for segment in self._segments.values())

    # -- at the start -----------------------------------------------------------------------

    def _read_all(self) -> Found:
        keys: list[tuple[int, str, str]] = []
        pending: dict[str, int] = {}
        since = 0
        named = [found for name in self._files.names() if (found := NAME.fullmatch(name))]
        for name in sorted(named, key=lambda name: int(name[1])):
            self._last = max(self._last, int(name[1]))
            if name[3]:
                self._kept += 1
                continue
            for place, accept in self._read(Segment(int(name[1]), name[2])):
                message = accept.message
                since = min(since or message.created_at, message.created_at)
                if message.key is not None:
                    keys.append((place, message.account, message.key))
                for each in accept.deliveries:
                    pending[each.recipient] = pending.get(each.recipient, 0) + 1
        return Found(keys=tuple(keys), pending=pending, since=since)

    def _read(self, segment: Segment) -> list[tuple[int, Accept]]:
        """Take in a segment and return what can be read of it; complain of the rest."""
        content = self._files.read(segment.name)
        segment.size = len(content)
        found = list(frame.records(content))
        good = []
        for record in found:
            place = segment.number << 32 | record.offset
            try:
                good.append((place, self._opened(segment, record)))
            except StoreError as error:
                self._complain(segment, record.offset, str(error))
        if lost := frame.missing(found):
            self._complain(segment, 0, f"{lost} records are damaged")
        whole = frame.HEAD + sum(frame.HEADER + len(record.sealed) for record in found)
        if not segment.kept and segment.size > whole:
            log(LogEvent.SPOOL_TORN, logging.WARNING, file=segment.name, bytes=segment.size - whole)
        self._segments[segment.number] = segment
        self.size += segment.size
        self._places.extend(place for place, _ in good)
        if not good:
            self._retire(segment)
        return good

    def _complain(self, segment: Segment, offset: int, error: str) -> None:
        segment.kept = True
        name = segment.name
        log(LogEvent.SPOOL_DAMAGED, logging.ERROR, file=name, offset=offset, error=error)

    def _opened(self, segment: Segment, record: frame.Record) -> Accept:
        try:
            body = self._vault.open(record.sealed, segment.owner(record.index))
            return _DECODER.decode(body)
        except (VaultError, msgspec.MsgspecError) as error:
            raise StoreError(f"a record of {segment.name} cannot be read: {error}") from error

    # -- in --------------------------------------------------------------------------------

    def append(self, accepts: Sequence[Accept]) -> list[int]:
        """Write messages durably; see `Spool.append`."""
        segment = self._current or self._begin()
        pieces: list[bytes] = []
        places = []
        size = segment.size
        if not size:
            pieces.append(frame.MAGIC)
            size = frame.HEAD
        for index, accept in enumerate(accepts, segment.next):
            sealed = self._vault.seal(_ENCODER.encode(accept), segment.owner(index))
            piece = frame.pack(index, segment.next, sealed)
            if self.size - segment.size + size + len(piece) > self.limit:
                break
            places.append(segment.number << 32 | size)
            pieces.append(piece)
            size += len(piece)
        if places:
            self._write(segment, b"".join(pieces))
            segment.next += len(places)
            self._places.extend(places)
        return places

    def _begin(self) -> Segment:
        self._last += 1
        return Segment(self._last, secrets.token_hex(8))

    def _write(self, segment: Segment, data: bytes) -> None:
        try:
            self._files.append(segment.name, data)
            self._files.sync(segment.name)
        except OSError as error:
            # What is on disk is unknown now, so nothing is appended to this file any more.
            self._current = None
            with contextlib.suppress(OSError):
                if segment.size:
                    self._files.truncate(segment.name, segment.size)
                else:
                    self._files.remove(segment.name)
            kind = StoreFull if error.errno in _NO_SPACE else StoreError
            raise kind(f"the spool cannot be written: {error.strerror or error}") from error
        self._segments[segment.number] = segment
        segment.size += len(data)
        self.size += len(data)
        self._current = segment if segment.size < self._segment_bytes else None

    # -- out -------------------------------------------------------------------------------

    def at(self, place: int) -> Accept | None:
        """Return a message, None: it is not there any more.

        Raises:
            StoreError: it was damaged since it was written.
        """
        segment = self._segments.get(place >> 32)
        if segment is None:
            return None
        offset = place & 0xFFFF_FFFF
        try:
            header = self._files.read(segment.name, offset, frame.HEADER)
            size = frame.length(header) if len(header) == frame.HEADER else 0
            content = self._files.read(segment.name, offset, frame.HEADER + size)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{segment.name} cannot be read: {error.strerror}") from error
        record = frame.at(content, 0)
        if record is None:
            raise StoreError(f"the record at {offset} of {segment.name} is damaged")
        return self._opened(segment, record)

    def oldest(self, count: int) -> list[Spooled]:
        """Return the oldest messages; what cannot be read any more is left out, loudly."""
        found: list[Spooled] = []
        size = 0
        for place in list(itertools.islice(self._places, count)):
            try:
                accept = self.at(place)
            except StoreError as error:
                self._complain(self._segments[place >> 32], place & 0xFFFF_FFFF, str(error))
                self._places.remove(place)
                continue
            if accept is None:  # its file was removed by somebody else
                self._places.remove(place)
                continue
            found.append(Spooled(place, accept))
            size += len(accept.message.sealed or b"")
            if size > PAGE_BYTES:
                break
        if not found:
            self._retire_finished()
        return found

    def forget(self, places: Collection[int], refused: Collection[int] = ()) -> None:
        """Take away the oldest messages; files without any are deleted, or kept for a person."""
        for place in refused:
            self._complain(self._segments[place >> 32], place & 0xFFFF_FFFF, "the store refuses it")
        gone = set(places)
        while self._places and self._places[0] in gone:
            self._places.popleft()
        self._retire_finished()

    def _retire_finished(self) -> None:
        first = self._places[0] >> 32 if self._places else self._last + 1
        for number in [number for number in self._segments if number < first]:
            self._retire(self._segments[number])

    def _retire(self, segment: Segment) -> None:
        if self._current is segment:
            self._current = None
        self.size -= segment.size
        del self._segments[segment.number]
        with contextlib.suppress(FileNotFoundError):
            if segment.kept:
                self._kept += 1
                self._files.rename(segment.name, segment.name + KEPT)
            else:
                self._files.remove(segment.name)

    def close(self) -> None:
        """Close the files."""
        self._files.close()
