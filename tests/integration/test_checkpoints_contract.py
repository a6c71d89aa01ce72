"""The newest checkpoint is found in memory as in S3; what only S3 can hold is found in S3."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from spot_relay.adapters.s3 import CallTime, S3Checkpoints
from spot_relay.domain.rules.checkpoints import CheckpointSearch
from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.domain.values import No
from tests.fakes import NOON, MemoryCheckpoints

if TYPE_CHECKING:
    from spot_relay.ports import Checkpoints
    from tests.integration.fake_aws import FakeAWS

BUCKET = "models"
PREFIX = f"s3://{BUCKET}/churn/"


class Place(Protocol):
    """Somewhere to leave checkpoints."""

    @property
    def port(self) -> Checkpoints:
        """The port that finds the newest of them."""

    def leave(self, key: str, at: datetime) -> Checkpoint:
        """Leave an object, last modified at a moment."""


class Memory:
    def __init__(self) -> None:
        self.port = MemoryCheckpoints()

    def leave(self, key: str, at: datetime) -> Checkpoint:
        found = Checkpoint(key, at)
        self.port.found.setdefault(f"s3://{BUCKET}/{key.partition('/')[0]}/", []).append(found)
        return found


class S3:
    def __init__(self, aws: FakeAWS) -> None:
        aws.client("s3").create_bucket(Bucket=BUCKET)
        self.port = S3Checkpoints(aws.client("s3"))
        self._backend: Any = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def leave(self, key: str, at: datetime) -> Checkpoint:
        # Past the server, which can't be told a time; what is tested is how the listing is read.
        self._backend.put_object(BUCKET, key, b"" if key.endswith("/") else b"x").last_modified = at.replace(
            tzinfo=None
        )
        return Checkpoint(key, at)


@pytest.fixture
def s3(aws: FakeAWS) -> S3:
    return S3(aws)


@pytest.fixture(params=["memory", "s3"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = Memory() if request.param == "memory" else request.getfixturevalue("s3")
    return found


def newest_at(place: Place, uri: str = PREFIX, pattern: str | None = None) -> Checkpoint | None:
    """The newest checkpoint under a prefix."""
    search = place.port.find_newest(uri, pattern)
    assert isinstance(search, CheckpointSearch)
    return search.newest


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_prefix_without_objects_has_no_checkpoint(place: Place) -> None:
    assert newest_at(place) is None


def test_the_checkpoint_that_was_written_last_is_the_newest_whatever_its_name(place: Place) -> None:
    place.leave("churn/z", later(0))
    newest = place.leave("churn/a", later(2))
    place.leave("churn/m", later(1))
    assert newest_at(place) == newest


def test_of_checkpoints_of_one_second_the_one_of_the_later_round_is_the_newest(place: Place) -> None:
    place.leave("churn/xgboost-checkpoint.9", later(0))
    newest = place.leave("churn/xgboost-checkpoint.11", later(0))
    place.leave("churn/xgboost-checkpoint.10", later(0))
    assert newest_at(place) == newest


@pytest.mark.parametrize("neighbour", ["churn-2/a", "churn0/a", "chur/a", "Churn/a"])
def test_a_neighbour_with_a_like_name_is_another_run(place: Place, neighbour: str) -> None:
    own = place.leave("churn/a", later(0))
    place.leave(neighbour, later(60))
    assert newest_at(place) == own


@pytest.mark.parametrize(
    "key",
    [
        "churn/xgboost-checkpoint.3.sagemaker-uploaded",
        "churn/xgboost-checkpoint.4.sagemaker-uploading",
        "churn/xgboost-checkpoint.3.sagemaker-ignore",
        "churn/.sagemaker-ignore",
        "churn/deeper/",
        "churn/",
    ],
)
def test_markers_and_folders_are_no_checkpoints(s3: S3, key: str) -> None:
    s3.leave(key, later(60))
    assert newest_at(s3) is None
    own = s3.leave("churn/xgboost-checkpoint.3", later(0))
    assert newest_at(s3) == own


def test_a_checkpoint_in_a_folder_whose_name_looks_like_a_marker_counts(s3: S3) -> None:
    newest = s3.leave("churn/a.sagemaker-b/model.pt", later(0))
    assert newest_at(s3) == newest


@pytest.mark.parametrize("key", ["churn/a b/épo que+1%2F.pt", "churn/a//b", "churn/?x=1&y=<2>", "churn/日本"])
def test_a_key_of_any_characters_is_given_as_it_is(s3: S3, key: str) -> None:
    newest = s3.leave(key, later(0))
    assert newest_at(s3) == newest


@pytest.mark.parametrize("place_of_newest", ["churn/0000-first", "churn/0500-middle", "churn/9999-last"])
def test_the_newest_is_found_on_any_page_of_a_long_listing(s3: S3, place_of_newest: str) -> None:
    for number in range(1200):
        s3.leave(f"churn/{number:04d}", later(0))
    newest = s3.leave(place_of_newest, later(1))
    assert newest_at(s3) == newest


@pytest.mark.parametrize("folder", ["run#1", "run?1", "run%231"])
def test_a_prefix_of_any_characters_is_listed_as_it_is(s3: S3, folder: str) -> None:
    s3.leave("run/a", later(60))
    assert newest_at(s3, f"s3://{BUCKET}/{folder}/") is None
    own = s3.leave(f"{folder}/a", later(0))
    assert newest_at(s3, f"s3://{BUCKET}/{folder}/") == own


def test_a_bucket_that_does_not_exist_holds_none(s3: S3) -> None:
    assert newest_at(s3, "s3://nowhere/churn/") is None


@pytest.mark.parametrize("code", ["InternalError", "SlowDown"])
def test_an_error_that_may_pass_proves_nothing_and_raises(s3: S3, code: str) -> None:
    with Stubber(s3.port.client) as stub:
        stub.add_client_error("list_objects_v2", code)
        with pytest.raises(ClientError, match=code):
            s3.port.find_newest(PREFIX)


@pytest.mark.parametrize("code", ["AccessDenied", "PermanentRedirect"])
def test_a_bucket_that_may_not_be_listed_is_named_with_the_reason(s3: S3, code: str) -> None:
    with Stubber(s3.port.client) as stub:
        stub.add_client_error("list_objects_v2", code)
        no = s3.port.find_newest(PREFIX)
    assert isinstance(no, No)
    assert f"S3 answers {code} for the bucket {BUCKET}" in no.because


def test_a_log_that_is_newer_than_the_checkpoint_is_ignored(place: Place) -> None:
    newest = place.leave("churn/model-1", later(0))
    place.leave("churn/runs/events.out.tfevents.1.algo-1", later(60))
    assert place.port.find_newest(PREFIX, None) == CheckpointSearch(newest, 1)


def test_a_pattern_is_relative_to_the_prefix(place: Place) -> None:
    newest = place.leave("churn/checkpoint-1/metrics.csv", later(0))
    place.leave("churn/other/model.pt", later(60))
    assert newest_at(place, pattern="checkpoint-*/**") == newest
    assert newest_at(place, pattern="churn/**") is None


def test_a_checkpoint_whose_parts_are_on_two_pages_is_complete(s3: S3) -> None:
    s3.leave("churn/model-00001-of-00002.npz", later(0))
    for number in range(1001):
        s3.leave(f"churn/model-00001-of-00002.npz.{number:04d}.log", later(5))
    newest = s3.leave("churn/model-00002-of-00002.npz", later(1))
    assert newest_at(s3) == newest


class Ticks:
    """A clock that moves on by so many seconds at each look."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = list(seconds)
        self.now = 0.0

    def __call__(self) -> float:
        self.now += self.seconds.pop(0) if self.seconds else 0.0
        return self.now


def test_a_prefix_that_cannot_be_listed_in_time_is_unknown_and_the_reason_says_how_far_it_was_read(s3: S3) -> None:
    for number in range(2001):
        s3.leave(f"churn/{number:04d}", later(number))
    slow = S3Checkpoints(s3.port.client, CallTime(10, Ticks(0, 9, 2)))
    no = slow.find_newest(PREFIX)
    assert isinstance(no, No)
    assert "2000 objects under the prefix were listed" in no.because
    in_time = S3Checkpoints(s3.port.client, CallTime(10, Ticks(0, 9, 0.5)))
    assert isinstance(in_time.find_newest(PREFIX), CheckpointSearch)


def test_more_objects_than_memory_holds_are_not_read(s3: S3) -> None:
    for number in range(1001):
        s3.leave(f"churn/{number:04d}", later(number))
    assert isinstance(S3Checkpoints(s3.port.client, max_objects=1000).find_newest(PREFIX), No)
    assert isinstance(S3Checkpoints(s3.port.client, max_objects=1001).find_newest(PREFIX), CheckpointSearch)


def test_several_listings_of_one_call_share_its_time(s3: S3) -> None:
    for number in range(1001):
        s3.leave(f"churn/{number:04d}", later(number))
    first, second, long_after = (0, 5, 3), (1, 3), (60, 5)
    port = S3Checkpoints(s3.port.client, CallTime(10, Ticks(*first, *second, 0, *long_after)))
    assert isinstance(port.find_newest(PREFIX), CheckpointSearch)
    assert isinstance(port.find_newest(PREFIX), No)
    assert isinstance(port.find_newest(PREFIX), CheckpointSearch)
