"""Input files are counted in memory as in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from spot_relay.adapters.s3 import S3InputFiles
from tests.fakes import MemoryInputFiles

if TYPE_CHECKING:
    from spot_relay.ports import InputFiles
    from tests.integration.fake_aws import FakeAWS

BUCKET = "data"
PREFIX = f"s3://{BUCKET}/train/"


class Place(Protocol):
    """A bucket with input files."""

    @property
    def port(self) -> InputFiles:
        """The port that counts them."""

    def leave(self, *keys: str) -> None:
        """Leave objects."""


class Memory:
    def __init__(self) -> None:
        self.port = MemoryInputFiles({BUCKET: []})

    def leave(self, *keys: str) -> None:
        self.port.buckets[BUCKET] += keys


class S3:
    def __init__(self, aws: FakeAWS) -> None:
        aws.client("s3").create_bucket(Bucket=BUCKET)
        self.port = S3InputFiles(aws.client("s3"))

    def leave(self, *keys: str) -> None:
        for key in keys:
            self.port.client.put_object(Bucket=BUCKET, Key=key)


@pytest.fixture
def s3(aws: FakeAWS) -> S3:
    return S3(aws)


@pytest.fixture(params=["memory", "s3"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = Memory() if request.param == "memory" else request.getfixturevalue("s3")
    return found


def test_a_prefix_without_objects_has_none(place: Place) -> None:
    place.leave("validation/a.csv")
    assert place.port.count(PREFIX, 9) == 0


def test_every_object_under_the_prefix_counts_at_any_depth(place: Place) -> None:
    place.leave("train/a.csv", "train/b/c.csv", "train/b/d/e.csv", "trained/f.csv", "a.csv")
    assert place.port.count(PREFIX, 9) == 3


def test_a_prefix_without_a_slash_matches_its_longer_neighbours_as_it_does_for_sagemaker(place: Place) -> None:
    place.leave("train/a.csv", "train-2.csv")
    assert place.port.count(f"s3://{BUCKET}/train", 9) == 2


def test_a_bucket_without_a_prefix_is_counted_whole(place: Place) -> None:
    place.leave("a.csv", "b/c.csv")
    assert place.port.count(f"s3://{BUCKET}", 9) == place.port.count(f"s3://{BUCKET}/", 9) == 2


def test_folders_do_not_count(place: Place) -> None:
    place.leave("train/", "train/a/", "train/a/b.csv", "train/c/")
    assert place.port.count(PREFIX, 9) == 1
    assert place.port.count(PREFIX, 1) == 1


@pytest.mark.parametrize("at_most", [0, 1, 2, 3])
def test_no_more_are_counted_than_are_asked_for(place: Place, at_most: int) -> None:
    place.leave("train/", "train/a.csv", "train/b.csv", "train/c.csv")
    assert place.port.count(PREFIX, at_most) == at_most


def test_more_objects_than_one_page_holds_are_counted(place: Place) -> None:
    place.leave(*(f"train/{number:02d}/" for number in range(12)), "train/z.csv")
    assert place.port.count(PREFIX, 5) == 1


def test_a_bucket_that_does_not_exist_cannot_be_counted(place: Place) -> None:
    assert place.port.count("s3://nowhere/train/", 9) is None


def test_a_bucket_that_may_not_be_listed_cannot_be_counted(s3: S3) -> None:
    with Stubber(s3.port.client) as stub:
        stub.add_client_error("list_objects_v2", "AccessDenied", http_status_code=403)
        assert s3.port.count(PREFIX, 9) is None


@pytest.mark.parametrize("code", ["InternalError", "SlowDown", "ExpiredToken"])
def test_what_else_keeps_s3_from_answering_is_raised(s3: S3, code: str) -> None:
    with Stubber(s3.port.client) as stub:
        stub.add_client_error("list_objects_v2", code)
        with pytest.raises(ClientError, match=code):
            s3.port.count(PREFIX, 9)
