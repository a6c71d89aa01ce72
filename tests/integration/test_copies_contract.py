"""Checkpoints are copied within S3 as they are in memory, in as many calls as it takes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from embedded.patience import give_time
from spot_relay.adapters import checkpoint_copies
from spot_relay.adapters.checkpoint_copies import S3CheckpointCopies
from spot_relay.adapters.s3 import CallTime, S3Checkpoints
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, Copied, CopyAnswer, CopyPaused, Uncopied
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.fake_aws import FakeAWS

SOURCE, TARGET = "s3://models/prep/", "s3://models/train/"
# The least that S3 takes as a part of an upload, except for the last one.
PART = 5 * 1024**2


@dataclass
class Ticking:
    """A clock that moves by a second each time it is read."""

    now: float = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@dataclass
class Bucket:
    """A bucket with the prefixes of two runs, and what copies from one to the other."""

    client: Any
    copies: S3CheckpointCopies = field(init=False)

    def __post_init__(self) -> None:
        self.client.create_bucket(Bucket="models")
        self.copies = S3CheckpointCopies(self.client, S3Checkpoints(self.client), part_bytes=PART)

    def put(self, key: str, body: bytes = b"weights") -> None:
        """Write an object."""
        self.client.put_object(Bucket="models", Key=key, Body=body)

    def keys(self, prefix: str = "train/") -> list[str]:
        """The keys below a prefix."""
        listed = self.client.list_objects_v2(Bucket="models", Prefix=prefix).get("Contents", [])
        return [one["Key"].removeprefix(prefix) for one in listed]

    def body(self, key: str) -> bytes:
        """What an object contains."""
        body: bytes = self.client.get_object(Bucket="models", Key=key)["Body"].read()
        return body

    def hurried(self, seconds: float) -> S3CheckpointCopies:
        """What copies for so many looks at the clock in each call, two files at a time."""
        checkpoints = S3Checkpoints(self.client, CallTime(1000, Ticking()))
        return replace(self.copies, checkpoints=checkpoints, seconds=seconds, threads=1)

    @contextmanager
    def asked(self) -> Iterator[list[str]]:
        """Record the calls to S3."""
        asked: list[str] = []

        def note(event_name: str, **_: Any) -> None:
            asked.append(event_name.rpartition(".")[2])

        self.client.meta.events.register("before-call.s3.*", note)
        yield asked
        self.client.meta.events.unregister("before-call.s3.*", note)

    @contextmanager
    def answering(self, operation: str, code: str, status: int, after: int = 0) -> Iterator[None]:
        """Have S3 answer an error after the first so many calls of an operation."""
        seen = []

        def fail(**_: Any) -> None:
            seen.append(1)
            if len(seen) > after:
                answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
                raise ClientError(answer, operation)  # type: ignore[arg-type]

        self.client.meta.events.register(f"before-call.s3.{operation}", fail)
        yield
        self.client.meta.events.unregister(f"before-call.s3.{operation}", fail)


@pytest.fixture
def bucket(aws: FakeAWS) -> Bucket:
    return Bucket(aws.client("s3"))


def newest_of(answer: CopyAnswer) -> str:
    assert isinstance(answer, Copied)
    return answer.newest.key


def to_the_end(copies: S3CheckpointCopies) -> tuple[CopyAnswer, int]:
    """Copy in as many calls as it takes, and return the last answer with their number."""
    copy, calls = CheckpointCopy(SOURCE), 0
    while True:
        answer, calls = copies.copy(copy, TARGET), calls + 1
        if not isinstance(answer, CopyPaused):
            return answer, calls
        copy = replace(copy, done=answer.done, after=answer.after, upload=answer.upload)
        assert calls < 100


def test_everything_that_is_complete_is_copied_with_what_belongs_to_it(bucket: Bucket) -> None:
    for key in ("a b+c/model-1.pt", "config.json", "ü.pt"):
        bucket.put(f"prep/{key}", key.encode())
    bucket.put("prep/commit_success.txt", b"")
    bucket.put("prep/model-2.pt.sagemaker-uploading")
    bucket.put("prep/model-2.pt")
    bucket.put("prep/")
    answer = bucket.copies.copy(CheckpointCopy(SOURCE), TARGET)
    assert newest_of(answer) == "train/a b+c/model-1.pt"
    assert set(bucket.keys()) == {"a b+c/model-1.pt", "config.json", "ü.pt", "commit_success.txt"}
    assert bucket.body("train/ü.pt") == "ü.pt".encode()


def test_a_pattern_says_which_of_the_copies_is_the_newest_checkpoint(bucket: Bucket) -> None:
    for key in ("state-1.txt", "state-10.txt", "model-100.pt"):
        bucket.put(f"prep/{key}")
    answer = bucket.copies.copy(CheckpointCopy(SOURCE, "state-*.txt"), TARGET)
    assert newest_of(answer) == "train/state-10.txt"
    assert len(bucket.keys()) == 3


def test_the_newest_copy_is_not_older_than_any_other(bucket: Bucket) -> None:
    for number in range(5):
        bucket.put(f"prep/model-{number}.pt")
    answer = bucket.copies.copy(CheckpointCopy(SOURCE), TARGET)
    assert isinstance(answer, Copied)
    listed = bucket.client.list_objects_v2(Bucket="models", Prefix="train/")["Contents"]
    assert answer.newest.last_modified == max(one["LastModified"] for one in listed)


def test_many_files_take_several_calls(bucket: Bucket) -> None:
    for number in range(30):
        bucket.put(f"prep/model-{number}.pt", b"%d" % number)
    answer, calls = to_the_end(bucket.hurried(2))
    assert calls > 3
    assert newest_of(answer) == "train/model-29.pt"
    assert [bucket.body(f"train/model-{number}.pt") for number in range(30)] == [b"%d" % n for n in range(30)]


def test_a_large_file_is_copied_in_parts_and_in_several_calls(bucket: Bucket) -> None:
    large = bytes(range(256)) * (3 * PART // 256) + b"the rest"
    bucket.put("prep/model-1.pt", large)
    bucket.put("prep/model-20.pt")
    with bucket.asked() as asked:
        answer, calls = to_the_end(bucket.hurried(3))
    assert calls > 2
    assert newest_of(answer) == "train/model-20.pt"
    assert bucket.body("train/model-1.pt") == large
    assert (asked.count("CreateMultipartUpload"), asked.count("UploadPartCopy")) == (1, 4)
    assert "Uploads" not in bucket.client.list_multipart_uploads(Bucket="models")


def test_a_part_that_is_under_way_while_another_one_fails_is_kept(bucket: Bucket) -> None:
    bucket.put("prep/model-1.pt", bytes(PART) + b"the rest")
    begun, aborted = Event(), Event()

    def hold(params: dict[str, Any], **_: Any) -> None:
        if params["PartNumber"] == 1:
            assert begun.wait(give_time(5))
            answer = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
            raise ClientError(answer, "UploadPartCopy")  # type: ignore[arg-type]
        begun.set()
        aborted.wait(0.5)

    events = bucket.client.meta.events
    events.register("provide-client-params.s3.UploadPartCopy", hold)
    events.register("before-call.s3.AbortMultipartUpload", lambda **_: aborted.set())
    answer = bucket.copies.copy(CheckpointCopy(SOURCE), TARGET)
    events.unregister("provide-client-params.s3.UploadPartCopy", hold)
    assert isinstance(answer, CopyPaused)
    assert answer.upload is not None
    assert not aborted.is_set()
    with bucket.asked() as asked:
        carried_on = CheckpointCopy(SOURCE, upload=answer.upload)
        assert newest_of(bucket.copies.copy(carried_on, TARGET)) == "train/model-1.pt"
    assert asked.count("UploadPartCopy") == 1


def test_an_upload_that_is_gone_is_begun_again(bucket: Bucket) -> None:
    bucket.put("prep/model-1.pt", b"1" * (PART + 1))
    copy = CheckpointCopy(SOURCE, upload="gone")
    assert newest_of(bucket.copies.copy(copy, TARGET)) == "train/model-1.pt"


def test_parts_are_larger_where_there_would_be_too_many(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_copies, "_MOST_PARTS", 2)
    bucket.put("prep/model-1.pt", b"1" * (3 * PART + 1))
    with bucket.asked() as asked:
        bucket.copies.copy(CheckpointCopy(SOURCE), TARGET)
    assert asked.count("UploadPartCopy") == 2
    assert len(bucket.body("train/model-1.pt")) == 3 * PART + 1


def test_a_copy_that_is_done_again_is_the_same(bucket: Bucket) -> None:
    for number in range(3):
        bucket.put(f"prep/model-{number}.pt", b"%d" % number)
    first = bucket.copies.copy(CheckpointCopy(SOURCE), TARGET)
    again = bucket.copies.copy(CheckpointCopy(SOURCE, done=1, after="model-0.pt"), TARGET)
    assert newest_of(first) == newest_of(again)
    assert bucket.keys() == bucket.keys("prep/")


def test_where_files_of_an_earlier_run_have_the_same_names_they_are_replaced(bucket: Bucket) -> None:
    bucket.put("train/model-1.pt", b"of others")
    bucket.put("prep/model-1.pt", b"of prep..")
    bucket.copies.copy(CheckpointCopy(SOURCE), TARGET)
    assert bucket.body("train/model-1.pt") == b"of prep.."


def test_a_mark_that_does_not_fit_the_files_is_ignored(bucket: Bucket) -> None:
    for number in range(3):
        bucket.put(f"prep/model-{number}.pt")
    for copy in (CheckpointCopy(SOURCE, done=2, after="model-0.pt"), CheckpointCopy(SOURCE, done=9, after="x")):
        bucket.copies.copy(copy, TARGET)
        assert len(bucket.keys()) == 3
        bucket.client.delete_objects(Bucket="models", Delete={"Objects": [{"Key": "train/model-0.pt"}]})


def because(answer: CopyAnswer, *, passes: bool = False) -> str:
    assert isinstance(answer, Uncopied)
    assert answer.passes is passes
    return answer.because


def test_other_files_under_the_prefix_are_no_place_for_a_copy(bucket: Bucket) -> None:
    bucket.put("prep/model-1.pt")
    bucket.put("train/")
    bucket.put("train/model-2.pt")
    told = because(bucket.copies.copy(CheckpointCopy(SOURCE), TARGET))
    assert told.startswith("s3://models/train/ has other files, such as model-2.pt")
    assert bucket.keys() == ["", "model-2.pt"]


def test_without_a_complete_checkpoint_nothing_is_copied(bucket: Bucket) -> None:
    bucket.put("prep/train.log")
    told = because(bucket.copies.copy(CheckpointCopy(SOURCE), TARGET))
    assert (told, bucket.keys()) == ("there is no complete checkpoint under s3://models/prep/.", [])


def test_too_many_files_are_refused(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_copies, "MOST_OBJECTS", 2)
    for number in range(3):
        bucket.put(f"prep/model-{number}.pt")
    told = because(bucket.copies.copy(CheckpointCopy(SOURCE), TARGET))
    assert "there are 3 files under s3://models/prep/, and at most 2 can be copied" in told


def test_a_bucket_that_is_not_there_is_named(bucket: Bucket) -> None:
    bucket.put("prep/model-1.pt")
    told = because(bucket.copies.copy(CheckpointCopy(SOURCE), "s3://elsewhere/train/"))
    assert told == "S3 answers NoSuchBucket to CopyObject."


def test_what_the_role_may_not_do_is_explained(bucket: Bucket) -> None:
    bucket.put("prep/model-1.pt")
    with bucket.answering("CopyObject", "AccessDenied", 403):
        told = because(bucket.copies.copy(CheckpointCopy(SOURCE), TARGET))
    assert "AllowCheckpointCopies" in told


@pytest.mark.parametrize(("code", "status"), [("SlowDown", 503), ("InternalError", 500), ("NoSuchKey", 404)])
def test_an_error_that_may_pass_keeps_what_was_copied_before_it(bucket: Bucket, code: str, status: int) -> None:
    for number in range(20):
        bucket.put(f"prep/model-{number:02}.pt")
    copies = replace(bucket.copies, threads=1)
    with bucket.answering("CopyObject", code, status, after=8):
        assert copies.copy(CheckpointCopy(SOURCE), TARGET) == CopyPaused(8, "model-07.pt")
    with bucket.answering("CopyObject", code, status):
        again = CheckpointCopy(SOURCE, done=8, after="model-07.pt")
        assert f"S3 answers {code}" in because(copies.copy(again, TARGET), passes=True)


def test_an_answer_that_never_comes_is_waited_for_again_later(bucket: Bucket) -> None:
    bucket.put("prep/model-1.pt")

    def hang(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://s3")

    bucket.client.meta.events.register("before-call.s3.CopyObject", hang)
    answer = bucket.copies.copy(CheckpointCopy(SOURCE), TARGET)
    bucket.client.meta.events.unregister("before-call.s3.CopyObject", hang)
    assert "timeout" in because(answer, passes=True).lower()


def test_an_upload_of_which_nothing_can_be_copied_is_given_up(bucket: Bucket) -> None:
    bucket.put("prep/model-1.pt", b"1" * (PART + 1))
    with bucket.answering("UploadPartCopy", "AccessDenied", 403):
        because(bucket.copies.copy(CheckpointCopy(SOURCE), TARGET))
    assert "Uploads" not in bucket.client.list_multipart_uploads(Bucket="models")


def test_the_parts_copied_before_an_error_that_may_pass_are_kept(bucket: Bucket) -> None:
    bucket.put("prep/model-1.pt", b"1" * (3 * PART))
    copies = replace(bucket.copies, threads=1)
    with bucket.answering("UploadPartCopy", "SlowDown", 503, after=1):
        paused = copies.copy(CheckpointCopy(SOURCE), TARGET)
    assert isinstance(paused, CopyPaused)
    with bucket.asked() as asked:
        answer = copies.copy(CheckpointCopy(SOURCE, upload=paused.upload), TARGET)
    assert newest_of(answer) == "train/model-1.pt"
    assert asked.count("UploadPartCopy") == 2


def test_a_copy_that_somebody_takes_away_meanwhile_is_missed(bucket: Bucket) -> None:
    for number in range(2):
        bucket.put(f"prep/model-{number}.pt")
    copy = CheckpointCopy(SOURCE, done=1, after="model-0.pt")
    told = because(bucket.copies.copy(copy, TARGET))
    assert told.startswith("model-0.pt was copied to s3://models/train/, and is not there any more")


def test_a_call_without_any_time_left_copies_nothing_and_asks_for_the_next(bucket: Bucket) -> None:
    bucket.put("prep/model-1.pt")
    spent = S3Checkpoints(bucket.client, CallTime(0))
    answer = replace(bucket.copies, checkpoints=spent).copy(CheckpointCopy(SOURCE), TARGET)
    assert (answer, bucket.keys()) == (CopyPaused(0, None), [])


def test_a_bucket_that_may_not_be_listed_is_tried_again(bucket: Bucket) -> None:
    bucket.put("prep/model-1.pt")
    with bucket.answering("ListObjectsV2", "AccessDenied", 403):
        told = because(bucket.copies.copy(CheckpointCopy(SOURCE), TARGET), passes=True)
    assert "cannot be listed" in told
