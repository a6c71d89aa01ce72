"""How objects in S3 are named as files."""

from __future__ import annotations

import pytest

from simulator.real.s3 import channel_name_of, checkpoint_name_of


@pytest.mark.parametrize(
    ("key", "prefix", "name"),
    [
        ("data/train/a.csv", "data/train/", "a.csv"),
        ("data/train/deep/a.csv", "data/train", "deep/a.csv"),
        ("data/train/a.csv", "data/train/a.csv", "a.csv"),
        ("data/train-1/a.csv", "data/train", "train-1/a.csv"),
        ("a.csv", "", "a.csv"),
    ],
)
def test_channel_files_are_named_as_in_file_mode(key: str, prefix: str, name: str) -> None:
    assert channel_name_of(key, prefix) == name


def test_a_checkpoint_prefix_without_a_slash_also_matches_longer_names() -> None:
    assert checkpoint_name_of("run-1/model", "run-1/") == "model"
    assert checkpoint_name_of("run-10/model", "run-1") == "0/model"
