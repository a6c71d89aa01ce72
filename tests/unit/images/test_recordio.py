"""RecordIO files are read as Apache MXNet writes them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.images.toolkit.recordio import Picture, RecordError, read_pictures, read_records, write_pictures

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = struct.pack("<I", 0xCED7230A)
# As im2rec writes a picture of four bytes with the label 3: 28 bytes of data after magic and length.
ONE_LABEL = MAGIC + struct.pack("<I", 28) + struct.pack("<IfQQ", 0, 3.0, 7, 0) + b"\xff\xd8\xff\xe0"
# And for detection: the widths of header and object, and one object.
OBJECT = (2.0, 5.0, 11.0, 0.25, 0.5, 0.75, 1.0)
DETECTION = MAGIC + struct.pack("<I", 55) + struct.pack("<IfQQ7f", 7, 0.0, 0, 0, *OBJECT) + b"abc" + b"\0"
# A record whose data has the magic number in it, at a multiple of four bytes.
PARTS = MAGIC + struct.pack("<I", (1 << 29) | 4) + b"1234" + MAGIC + struct.pack("<I", (3 << 29) | 2) + b"56\0\0"


def test_pictures_are_read_with_their_labels(tmp_path: Path) -> None:
    (tmp_path / "train.rec").write_bytes(ONE_LABEL + DETECTION)
    assert list(read_pictures([tmp_path / "train.rec"])) == [
        Picture((3.0,), b"\xff\xd8\xff\xe0"),
        Picture(OBJECT, b"abc"),
    ]


def test_a_record_in_parts_is_put_together_with_the_number_at_which_it_was_cut() -> None:
    assert next(read_records(PARTS + ONE_LABEL, "train.rec")) == b"1234" + MAGIC + b"56"


@given(st.lists(st.lists(st.sampled_from([MAGIC, b"\0\0\0\0", b"abcd", b"x", b""])).map(b"".join)))
def test_what_is_written_is_read(contents: list[bytes]) -> None:
    pictures = [Picture((float(number),), content) for number, content in enumerate(contents)]
    written = write_pictures(pictures)
    assert len(written) % 4 == 0
    assert [record[24:] for record in read_records(written, "train.rec")] == contents


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x89PNG\r\n", "train.rec is not a RecordIO file: there is no record at byte 0"),
        (ONE_LABEL + b"junk", "there is no record at byte 36"),
        (ONE_LABEL[:-1], "train.rec is cut off: the record at byte 0 has 28 bytes"),
        (PARTS[:12], "the parts of its last record are not all there"),
        (MAGIC + struct.pack("<I", 4) + b"1234", "has a record of 4 bytes, too short for a picture"),
        (MAGIC + struct.pack("<I", 24) + struct.pack("<IfQQ", 2, 0, 0, 0), "too short for its 2 labels"),
    ],
)
def test_a_file_that_is_no_recordio_is_refused_with_the_place(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "train.rec").write_bytes(data)
    with pytest.raises(RecordError, match=message):
        list(read_pictures([tmp_path / "train.rec"]))
