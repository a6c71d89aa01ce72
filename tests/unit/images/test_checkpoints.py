"""Checkpoints after epochs are found by their numbers, and one that is cut off is passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from examples.images.toolkit.checkpoints import EpochCheckpoints, pack, unpack

if TYPE_CHECKING:
    from pathlib import Path


def test_arrays_are_read_as_they_were_written() -> None:
    arrays: list[Any] = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7), np.zeros((0, 4))]
    again = unpack(pack(arrays))
    assert [each.shape for each in again] == [(2, 3), (), (0, 4)]
    assert np.array_equal(again[0], arrays[0])


@pytest.mark.parametrize("content", [b"", b"not a file", pack([np.ones(100)])[:-40]])
def test_a_file_that_is_cut_off_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a complete file of parameters"):
        unpack(content)


def test_the_newest_complete_checkpoint_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoints = EpochCheckpoints(tmp_path / "checkpoints", "image-classification")
    assert checkpoints.newest() is None
    for epochs in (1, 9, 10):
        checkpoints.save(epochs, [np.full(3, epochs)])
    (tmp_path / "checkpoints" / "image-classification-0011.params").write_bytes(b"half")
    (tmp_path / "checkpoints" / "other-0099.params").write_bytes(pack([np.ones(1)]))
    (tmp_path / "checkpoints" / "image-classification-symbol.json").write_text("{}")
    newest = checkpoints.newest()
    assert newest is not None
    assert newest[0] == 10
    assert newest[1][0].tolist() == [10, 10, 10]
    assert "Ignoring image-classification-0011.params" in capsys.readouterr().out
