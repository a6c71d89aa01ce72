"""RecordIO files with pictures, in the format of Apache MXNet's im2rec, which SageMaker's image algorithms read.

A record is a magic number, a word with its length and its part, the data, and zeros up to a multiple of four bytes.
Where the data itself has the magic number at such a multiple, it is cut there into parts. The data of a picture begins
with a header: how many labels follow, or else the only label, and two ids.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_MAGIC: Final = struct.pack("<I", 0xCED7230A)
_WORD: Final = 4
_LENGTH_BITS: Final = 29
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_HEADER: Final = struct.Struct("<IfQQ")


class RecordError(ValueError):
    """A file is not RecordIO, or is cut off; the message says where."""


@dataclass(frozen=True)
class Picture:
    """A picture with its labels: one number, or for detection the widths of header and object, and then the objects."""

    labels: tuple[float, ...]
    content: bytes
    """A JPEG or PNG file."""


def write_pictures(pictures: Iterable[Picture]) -> bytes:
    """Return a RecordIO file."""
    return b"".join(_write_record(_pack(picture, number)) for number, picture in enumerate(pictures))


def read_pictures(paths: Iterable[Path]) -> Iterator[Picture]:
    """Yield the pictures in files, in order."""
    for path in paths:
        for record in read_records(path.read_bytes(), path.name):
            yield _unpack(record, path.name)


def read_records(data: bytes, name: str) -> Iterator[bytes]:
    """Yield the records of a file; ``name`` is what errors call it."""
    place = 0
    parts: list[bytes] = []
    while place < len(data):
        if data[place : place + _WORD] != _MAGIC:
            raise RecordError(f"{name} is not a RecordIO file: there is no record at byte {place}")
        word = int.from_bytes(data[place + _WORD : place + 2 * _WORD], "little")
        part, length = word >> _LENGTH_BITS, word & ((1 << _LENGTH_BITS) - 1)
        begin = place + 2 * _WORD
        if begin + length > len(data):
            raise RecordError(f"{name} is cut off: the record at byte {place} has {length} bytes")
        parts.append(data[begin : begin + length])
        place = begin + length + -length % _WORD
        if part in (_WHOLE, _LAST):
            yield _MAGIC.join(parts)
            parts = []
    if parts:
        raise RecordError(f"{name} is cut off: the parts of its last record are not all there")


def _write_record(data: bytes) -> bytes:
    cuts = [place for place in range(0, len(data), _WORD) if data[place : place + _WORD] == _MAGIC]
    begins, ends = [0, *(cut + _WORD for cut in cuts)], [*cuts, len(data)]
    written = []
    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        part = _WHOLE if not cuts else _FIRST if number == 0 else _LAST if number == len(cuts) else _MIDDLE
        word = (part << _LENGTH_BITS) | (end - begin)
        written += [_MAGIC, struct.pack("<I", word), data[begin:end], bytes(-(end - begin) % _WORD)]
    return b"".join(written)


def _pack(picture: Picture, number: int) -> bytes:
    if len(picture.labels) == 1:
        return _HEADER.pack(0, picture.labels[0], number, 0) + picture.content
    labels = struct.pack(f"<{len(picture.labels)}f", *picture.labels)
    return _HEADER.pack(len(picture.labels), 0.0, number, 0) + labels + picture.content


def _unpack(record: bytes, name: str) -> Picture:
    if len(record) < _HEADER.size:
        raise RecordError(f"{name} has a record of {len(record)} bytes, too short for a picture")
    count, label, _, _ = _HEADER.unpack_from(record)
    if count == 0:
        return Picture((label,), record[_HEADER.size :])
    end = _HEADER.size + _WORD * count
    if len(record) < end:
        raise RecordError(f"{name} has a record of {len(record)} bytes, too short for its {count} labels")
    return Picture(struct.unpack_from(f"<{count}f", record, _HEADER.size), record[end:])
