"""Runs that start from a copy of another run's checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, CopyAnswer, Uncopied
from spot_relay.domain.run.observation import Due, PredecessorEnded
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.domain.values import No
from spot_relay.ports import ConflictError
from spot_relay.service import UnacceptableError
from tests.unit.chains import Chain
from tests.unit.worlds import submission

if TYPE_CHECKING:
    from tests.fakes import MemoryCheckpointCopies

SOURCE, OWN = "s3://models/prep/", "s3://models/train/"
START = Start(after=("prep",), continue_from="prep", checkpoint=True)
KEYS = ("model-1.pt", "config.json", "model-2.pt")
MINUTE = timedelta(minutes=1)


def after_prep(*keys: str, at_once: int = 1000, start: Start = START) -> Chain:
    """A chain in which `train` waits for the checkpoints of `prep`."""
    chain = Chain()
    chain.world.copies.at_once = at_once
    chain.submit("prep")
    chain.submit("train", start)
    found = []
    for key in keys or KEYS:
        chain.world.clock.passes(1)
        found.append(Checkpoint(f"prep/{key}", chain.world.clock()))
    chain.world.checkpoints.found[SOURCE] = found
    return chain


def copied(chain: Chain) -> list[str]:
    """The keys under the run's own prefix."""
    return [one.key for one in chain.world.checkpoints.found.get(OWN, [])]


def goes_on(chain: Chain, name: str = "train") -> Run:
    """Deliver the message that asks for a look, if there is one."""
    looks, chain.world.wakeups.looks = chain.world.wakeups.looks, []
    for run_id, _ in looks:
        chain.world.service.advance(run_id, Due())
    return chain.run(name)


def test_a_run_begins_once_the_checkpoints_of_the_one_before_it_are_copied_to_its_own_prefix() -> None:
    chain = after_prep()
    chain.ends("prep")
    assert copied(chain) == ["train/model-1.pt", "train/config.json", "train/model-2.pt"]
    first = chain.run().attempts[0]
    assert first.status is AttemptStatus.IN_PROGRESS
    assert first.resumes_from == Checkpoint("train/model-2.pt", chain.world.clock())
    assert not chain.run().outbox
    assert "It starts from the checkpoint train/model-2.pt." in str(chain.run().decisions)
    assert "InputDataConfig" not in chain.world.jobs.requests[-1]


def test_nothing_is_launched_before_everything_is_copied() -> None:
    chain = after_prep(at_once=1)
    chain.ends("prep")
    for count in (1, 2):
        run = chain.run()
        assert (len(copied(chain)), run.status, chain.launched) == (count, RunStatus.PENDING, ["prep-relay-01"])
        assert f"Files copied so far: {count}." in run.reason
        assert chain.world.wakeups.looks == [("train", timedelta(0))]
        goes_on(chain)
    assert chain.launched == ["prep-relay-01", "train-relay-01"]
    assert chain.world.wakeups.looks == []


def test_the_tick_goes_on_with_a_copy_if_the_message_for_that_is_lost() -> None:
    chain = after_prep(at_once=2)
    chain.ends("prep")
    assert chain.run().check_at == chain.world.clock()
    chain.looks()
    assert chain.launched == ["prep-relay-01", "train-relay-01"]


def test_the_copy_waits_for_the_time_of_the_run() -> None:
    chain = Chain()
    at = chain.world.clock() + 5 * MINUTE
    chain = after_prep(start=replace(START, at=at))
    chain.ends("prep")
    assert (copied(chain), chain.run().check_at) == ([], at)
    chain.looks()
    assert "train-relay-01" in chain.launched


def test_what_is_unfinished_or_lacks_parts_is_not_copied() -> None:
    keys = ("model-1.pt", "model-1.pt.sagemaker-uploaded", "old/optimizer.pt.tmp", "model-00001-of-00002.pt")
    chain = after_prep(*keys)
    chain.ends("prep")
    assert copied(chain) == ["train/model-1.pt"]


def test_a_run_fails_if_the_one_before_it_left_no_complete_checkpoint() -> None:
    chain = after_prep("train.log")
    chain.ends("prep")
    run = chain.run()
    assert run.status is RunStatus.FAILED
    assert run.reason == (
        "The checkpoints of prep could not be copied: there is no complete checkpoint under s3://models/prep/."
    )


def test_a_prefix_that_has_other_files_is_left_as_it_is() -> None:
    chain = after_prep()
    chain.world.checkpoints.found[OWN] = [Checkpoint("train/model-9.pt", chain.world.clock())]
    chain.ends("prep")
    assert (chain.run().status, copied(chain)) == (RunStatus.FAILED, ["train/model-9.pt"])


def test_a_copy_that_failed_begins_anew_when_the_run_is_resumed() -> None:
    chain = after_prep(at_once=2)
    chain.ends("prep")
    chain.world.copies.answers = [Uncopied("S3 answers AccessDenied to CopyObject.", passes=False)]
    failed = goes_on(chain)
    assert (failed.status, failed.copying) == (RunStatus.FAILED, CheckpointCopy(SOURCE))
    chain.world.service.resume("train")
    run = goes_on(chain)
    assert run.attempts[0].status is AttemptStatus.IN_PROGRESS
    assert copied(chain) == ["train/model-1.pt", "train/config.json", "train/model-2.pt"]


def test_an_error_that_passes_is_tried_again_at_the_next_check() -> None:
    chain = after_prep(at_once=2)
    chain.ends("prep")
    chain.world.copies.answers = [Uncopied("S3 answers SlowDown to CopyObject.", passes=True)]
    run = goes_on(chain)
    assert run.reason.endswith("SlowDown to CopyObject. Trying again in 300 s.")
    assert (run.check_at, run.copying and run.copying.done) == (chain.world.clock() + 5 * MINUTE, 2)
    chain.looks()
    assert "train-relay-01" in chain.launched


def test_a_copy_that_fails_ten_times_in_a_row_fails_its_run() -> None:
    chain = after_prep()
    chain.world.copies.answers = [Uncopied("S3 answers SlowDown to CopyObject.", passes=True)] * 10
    chain.ends("prep")
    for _ in range(9):
        assert chain.run().status is RunStatus.PENDING
        chain.looks()
    assert chain.run().status is RunStatus.FAILED
    assert chain.run().reason.endswith("Giving up after 10 tries. Resume the run to try again.")


def test_an_error_of_any_other_kind_is_tried_again() -> None:
    chain = after_prep()
    chain.world.copies.clock = None  # type: ignore[assignment]
    chain.ends("prep")
    assert "TypeError" in chain.run().reason
    chain.world.copies.clock = chain.world.clock
    chain.looks()
    assert "train-relay-01" in chain.launched


class KilledError(BaseException):
    """The function's process is gone."""


@dataclass
class Fragile:
    """Copies some objects, and has something else happen after the first so many."""

    copies: MemoryCheckpointCopies
    happens: object
    after: int = 1

    def copy(self, copy: CheckpointCopy, destination: str) -> CopyAnswer:
        for one in self.copies.checkpoints.list_objects(copy.source)[: self.after]:
            self.copies.copy_object(copy.source, destination, one.key)
        assert callable(self.happens)
        self.happens()
        return self.copies.copy(copy, destination)


def killed() -> None:
    raise KilledError


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_copy_whose_function_is_killed_is_done_again_by_the_tick_and_is_whole(after: int) -> None:
    chain = after_prep()
    healthy = chain.world.service
    chain.world.service = replace(healthy, copies=Fragile(chain.world.copies, killed, after))
    with pytest.raises(KilledError):
        chain.ends("prep")
    chain.world.service = healthy
    run = chain.run()
    assert (len(copied(chain)), run.outbox.copy, chain.launched) == (after, True, ["prep-relay-01"])
    assert run.due_at == chain.world.clock() + 1.5 * MINUTE
    chain.world.clock.now = run.due_at
    healthy.advance("train", Due())
    assert sorted(copied(chain)) == ["train/config.json", "train/model-1.pt", "train/model-2.pt"]
    assert chain.run().attempts[0].status is AttemptStatus.IN_PROGRESS


def test_a_second_function_does_not_copy_as_long_as_the_first_one_may_be_at_work() -> None:
    chain = after_prep()
    healthy = chain.world.service

    def others() -> None:
        for seconds, observation in ((0, PredecessorEnded()), (0, Due()), (59, PredecessorEnded()), (30, Due())):
            chain.world.clock.passes(seconds)
            healthy.advance("train", observation)

    chain.world.service = replace(healthy, copies=Fragile(chain.world.copies, others))
    chain.ends("prep")
    assert len(chain.world.copies.asked) == 1
    assert chain.launched == ["prep-relay-01", "train-relay-01"]


def test_two_functions_that_find_a_copy_unfinished_at_the_same_time_do_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = after_prep()
    chain.world.service = replace(chain.world.service, copies=Fragile(chain.world.copies, killed))
    with pytest.raises(KilledError):
        chain.ends("prep")
    chain.world.service = healthy = replace(chain.world.service, copies=chain.world.copies)
    chain.world.clock.passes(90)
    save, store = chain.world.store.save, chain.world.store

    def late(run: Run) -> Run:
        monkeypatch.setattr(store, "save", save)
        healthy.advance("train", Due())
        return save(run)

    monkeypatch.setattr(store, "save", late)
    healthy.advance("train", Due())
    assert len(chain.world.copies.asked) == 1
    assert chain.launched.count("train-relay-01") == 1


def test_a_run_that_is_stopped_between_two_parts_of_a_copy_ends_at_once() -> None:
    chain = after_prep(at_once=1)
    chain.ends("prep")
    assert chain.world.service.stop("train").status is RunStatus.STOPPED
    goes_on(chain)
    assert (len(copied(chain)), chain.launched) == (1, ["prep-relay-01"])
    assert not chain.run().outbox.acts


def test_a_run_that_is_stopped_while_a_function_copies_keeps_its_prefix_until_that_is_over() -> None:
    chain = after_prep()
    healthy = chain.world.service

    def stops() -> None:
        assert healthy.stop("train").status is RunStatus.STOPPING
        healthy.advance("train", PredecessorEnded())
        healthy.advance("train", Due())
        assert chain.run().status is RunStatus.STOPPING

    chain.world.service = replace(healthy, copies=Fragile(chain.world.copies, stops))
    chain.ends("prep")
    run = chain.run()
    assert (run.status, run.reason, chain.launched) == (RunStatus.STOPPED, "Stopped by request.", ["prep-relay-01"])
    assert not run.outbox.acts


def test_a_stop_while_a_function_copies_that_is_killed_ends_the_run_when_its_time_is_over() -> None:
    chain = after_prep()
    healthy = chain.world.service

    def stops() -> None:
        healthy.stop("train")
        raise KilledError

    chain.world.service = replace(healthy, copies=Fragile(chain.world.copies, stops))
    with pytest.raises(KilledError):
        chain.ends("prep")
    chain.world.service = healthy
    assert chain.looks().status is RunStatus.STOPPED
    assert (len(chain.world.copies.asked), chain.run().outbox.acts) == (0, False)


def test_a_function_that_may_not_copy_leaves_it_to_one_that_may() -> None:
    chain = after_prep()
    chain.ends("prep")
    elsewhere = replace(chain.world.service, copies=None)
    wanted = submission(name="next", CheckpointConfig={"S3Uri": "s3://models/next/"})
    run = elsewhere.submit(replace(wanted, start=START))
    assert (run.status, chain.world.wakeups.looks) == (RunStatus.PENDING, [("next", timedelta(0))])
    assert goes_on(chain, "next").attempts[0].status is AttemptStatus.IN_PROGRESS


@pytest.mark.parametrize("uri", [SOURCE, "s3://models/prep/more/", "s3://models/"])
def test_a_prefix_that_overlaps_with_that_of_the_other_run_is_refused(uri: str) -> None:
    chain = Chain()
    chain.submit("prep")
    chain.ends("prep")
    wanted = submission(name="train", CheckpointConfig={"S3Uri": uri})
    with pytest.raises(UnacceptableError, match="needs a checkpoint prefix apart from s3://models/prep/"):
        chain.world.service.submit(replace(wanted, start=START))


def test_a_run_without_checkpoints_cannot_be_continued_from_its_checkpoints() -> None:
    chain = Chain()
    chain.world.service.submit(submission(name="prep", CheckpointConfig=None))
    with pytest.raises(UnacceptableError, match="which keeps none: its training job has no CheckpointConfig"):
        chain.submit("train", START)


def test_a_checkpoint_that_was_copied_is_no_progress_of_the_first_attempt() -> None:
    chain = after_prep()
    chain.ends("prep")
    chain.ends("train", "Failed", failure_reason="InternalServerError: try again.")
    assert chain.run().attempts[0].resumes_from is not None
    assert chain.run().progress_seconds == 0


def test_a_conflict_after_the_copy_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = after_prep()
    save, store, calls = chain.world.store.save, chain.world.store, list[str]()

    def conflicting(run: Run) -> Run:
        if run.id == "train" and len(chain.world.copies.asked) == 1 and not calls:
            calls.append(run.id)
            store.runs["train"] = replace(store.runs["train"], version=store.runs["train"].version + 1)
            raise ConflictError(run.id)
        return save(run)

    monkeypatch.setattr(store, "save", conflicting)
    chain.ends("prep")
    assert (calls, len(chain.world.copies.asked)) == (["train"], 1)
    assert chain.launched.count("train-relay-01") == 1
    assert not chain.run().outbox.acts


def test_a_debt_that_is_none_any_more_is_dropped() -> None:
    chain = after_prep()
    chain.ends("prep")
    chain.world.store.save(replace(chain.run(), outbox=Outbox(copy=True)))
    chain.world.service.advance("train", PredecessorEnded())
    assert (chain.run().outbox, len(chain.world.copies.asked)) == (Outbox(), 1)


def test_a_bucket_that_cannot_be_listed_is_tried_again() -> None:
    chain = after_prep()
    chain.world.copies.answers = [Uncopied(No("The checkpoints cannot be listed.").because, passes=True)]
    chain.ends("prep")
    assert "The checkpoints cannot be listed. Trying again in 300 s." in chain.run().reason
