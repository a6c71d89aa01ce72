"""How a run gets a copy of another run's checkpoints: what is owed, how far it is, and when it is given up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.copies import (
    MOST_TRIES,
    begin_copy,
    check_source,
    complete_copy,
    copy_on,
    follow_failure,
    is_awaited,
    pause_copy,
)
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.steps import Decision
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, Copied, CopyPaused, Uncopied
from spot_relay.domain.run.observation import Due
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Policy
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.domain.text import MAX_TEXT_BYTES
from spot_relay.domain.values import No
from tests.fakes import NOON
from tests.unit.worlds import submission

SECOND = timedelta(seconds=1)
LATER = NOON + timedelta(hours=1)
PREP, TRAIN = "s3://models/prep/", "s3://models/train/"
COPY = CheckpointCopy(PREP, "*.pt")
HALFWAY = replace(COPY, done=2, after="2.pt", upload="an-upload", tries=3)


def a_run(name: str, checkpoints: str | None, policy: Policy | None = None, start: Start | None = None) -> Run:
    """A run as it was submitted at noon."""
    config = {"S3Uri": checkpoints} if checkpoints else None
    wanted = submission(policy, name=name, CheckpointConfig=config)
    return replace(accept(replace(wanted, start=start or Start()), "one", NOON), outbox=Outbox())


def train(copying: CheckpointCopy | None = None, checkpoints: str | None = TRAIN) -> Run:
    """The run `train`, which continues from the checkpoints of `prep`."""
    start = Start(after=("prep",), continue_from="prep", checkpoint=True)
    return replace(a_run("train", checkpoints, start=start), completed=("prep",), copying=copying)


def goes_on(run: Run, owes: Outbox, reason: str, check_at: timedelta) -> Decision:
    """The run waits on for its copy, and is looked at again after some time."""
    state: dict[str, Any] = {"updated_at": LATER, "status": RunStatus.PENDING, "check_at": LATER + check_at}
    return Decision(replace(run, **state, reason=reason), owes, reason)


def test_a_run_copies_what_the_other_one_calls_checkpoints() -> None:
    prep = a_run("prep", PREP, Policy(checkpoint_pattern="*.pt"))
    assert begin_copy(train(), prep) == train(COPY)
    assert begin_copy(train(), a_run("prep", PREP)) == train(CheckpointCopy(PREP))


@pytest.mark.parametrize(
    ("theirs", "own"),
    [(PREP, PREP), (PREP, f"{PREP}next/"), (f"{PREP}next/", PREP), (PREP, None)],
    ids=["the same", "within it", "above it", "none"],
)
def test_checkpoints_are_copied_only_to_a_prefix_apart_from_theirs(theirs: str, own: str | None) -> None:
    assert check_source(train(checkpoints=own), a_run("prep", theirs)) == No(
        f"This run continues from the checkpoints of prep, so it needs a checkpoint prefix apart from {theirs}. Use "
        "another CheckpointConfig.S3Uri. To go on in that prefix itself, name prep in after and leave out "
        "continue_from."
    )
    assert check_source(train(), a_run("prep", PREP)) is None


def test_a_run_without_checkpoints_has_none_to_copy() -> None:
    assert check_source(train(), a_run("prep", None)) == No(
        "This run continues from the checkpoints of prep, which keeps none: its training job has no CheckpointConfig. "
        "Name a run that has."
    )


@pytest.mark.parametrize(("owed", "age"), [(False, 0 * SECOND), (True, 90 * SECOND), (False, 90 * SECOND)], ids=str)
def test_the_next_part_of_a_copy_is_owed_once_nobody_can_be_at_work_on_it(owed: bool, age: timedelta) -> None:
    before = replace(train(HALFWAY), outbox=Outbox(copy=owed), updated_at=LATER - age)
    looked = replace(before, completed=("prep", "labels"))
    reason = "Copying the checkpoints of prep to s3://models/train/. Files copied so far: 2."
    owes = Outbox(copy=True, status=True)
    assert copy_on(looked, before, LATER) == goes_on(looked, owes, reason, 90 * SECOND)


def test_a_copy_that_another_function_may_be_at_work_on_is_left_to_it() -> None:
    before = replace(train(COPY), outbox=Outbox(copy=True), updated_at=LATER - 90 * SECOND + timedelta(microseconds=1))
    looked = replace(before, completed=("prep", "labels"))
    decision = copy_on(looked, before, LATER)
    assert decision == Decision(before, Outbox(), "The checkpoints of prep are being copied.")
    assert decision.run is before


def test_a_copy_that_has_paused_goes_on_at_once_from_where_it_was() -> None:
    paused = CopyPaused(5, "5.pt", "next-upload")
    further = train(CheckpointCopy(PREP, "*.pt", done=5, after="5.pt", upload="next-upload"))
    reason = "Copying the checkpoints of prep to s3://models/train/. Files copied so far: 5."
    decision = pause_copy(train(HALFWAY), HALFWAY, paused, LATER)
    assert decision == goes_on(further, Outbox(status=True), reason, 0 * SECOND)


def test_a_copy_of_which_nothing_is_done_yet_shows_no_number() -> None:
    decision = pause_copy(train(COPY), COPY, CopyPaused(0, None, "an-upload"), LATER)
    assert decision.reason == "Copying the checkpoints of prep to s3://models/train/."


def test_a_copy_that_is_complete_has_its_newest_checkpoint_with_a_key_that_can_be_stored() -> None:
    newest = Checkpoint("train/\x007.pt" + "x" * MAX_TEXT_BYTES, NOON)
    done = complete_copy(train(HALFWAY), HALFWAY, Copied(newest))
    [copying] = [done.copying]
    assert copying is not None
    assert copying.newest is not None
    assert replace(copying, newest=None) == replace(COPY, done=2)
    assert copying.newest.last_modified == NOON
    assert copying.newest.key.startswith("train/")
    assert len(copying.newest.key.encode()) == MAX_TEXT_BYTES
    assert done == train(copying)


def test_only_an_open_run_that_has_not_begun_waits_for_the_part_that_it_is_at() -> None:
    run = train(COPY)
    assert is_awaited(run, COPY)
    assert not is_awaited(run, HALFWAY)
    assert not is_awaited(replace(run, waits_to_begin=False), COPY)
    assert not is_awaited(replace(run, status=RunStatus.FAILED), COPY)


@pytest.mark.parametrize("tries", [0, MOST_TRIES - 2])
def test_a_copy_that_failed_for_a_reason_that_passes_is_tried_again_at_the_next_check(tries: int) -> None:
    of = replace(HALFWAY, tries=tries)
    failed = Uncopied("S3 answers SlowDown to CopyObject", passes=True)
    facts = Facts(Due(), check_every=timedelta(minutes=7))
    reason = "The checkpoints of prep could not be copied: S3 answers SlowDown to CopyObject. Trying again in 420 s."
    again = train(replace(of, tries=tries + 1))
    assert follow_failure(train(of), of, failed, facts, LATER) == goes_on(
        again, Outbox(status=True), reason, 420 * SECOND
    )


@pytest.mark.parametrize(("passes", "tries"), [(True, MOST_TRIES - 1), (False, 0)])
def test_a_copy_that_fails_too_often_or_for_good_fails_the_run_and_begins_anew_after_that(
    passes: bool, tries: int
) -> None:
    of = replace(HALFWAY, tries=tries)
    decision = follow_failure(train(of), of, Uncopied("S3 says no", passes=passes), Facts(Due()), LATER)
    run = decision.run
    more = " Giving up after 10 tries. Resume the run to try again." if passes else ""
    assert decision.reason == f"The checkpoints of prep could not be copied: S3 says no.{more}"
    assert (run.status, run.reason, run.ended_at, run.copying) == (RunStatus.FAILED, decision.reason, LATER, COPY)
    assert (run.current.status, run.current.outcome) == (AttemptStatus.ENDED, Outcome.NEVER_CREATED)
    assert (run.current.ended_at, run.current.failure_reason) == (LATER, decision.reason)
