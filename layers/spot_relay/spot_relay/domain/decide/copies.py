"""How a run gets a copy of another run's checkpoints before it begins."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from spot_relay.domain.decide.steps import Decision, change, close_uncreated, finish, unchanged
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, Copied, CopyPaused, Uncopied
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import OUTBOX_PATIENCE, Run, RunStatus
from spot_relay.domain.text import MAX_TEXT_BYTES, clean_text
from spot_relay.domain.values import No, as_sentence, replace

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts

# After so many tries in a row without anything copied, at the interval of checks, a run fails.
MOST_TRIES = 10


def check_source(run: Run, other: Run) -> No | None:
    """Return why the checkpoints of the other run can never be copied to the prefix of this one."""
    theirs, own = other.checkpoint_uri, run.checkpoint_uri
    if theirs is None:
        return No(
            f"This run continues from the checkpoints of {other.id}, which keeps none: its training job has no "
            "CheckpointConfig. Name a run that has."
        )
    if own is None or own.startswith(theirs) or theirs.startswith(own):
        return No(
            f"This run continues from the checkpoints of {other.id}, so it needs a checkpoint prefix apart from "
            f"{theirs}. Use another CheckpointConfig.S3Uri. To go on in that prefix itself, name {other.id} in after "
            "and leave out continue_from."
        )
    return None


def begin_copy(run: Run, other: Run) -> Run:
    """Return the run with what it has to copy from the other one, which has completed and passed `check_source`."""
    return replace(run, copying=CheckpointCopy(other.checkpoint_uri or "", other.policy.checkpoint_pattern))


def copy_on(run: Run, before: Run, now: datetime) -> Decision:
    """Owe the next part of the copy, unless another function is at work on it. ``before`` is the run as it is stored.

    Only who has saved this debt pays it, within the time that a function has. So no function that was overtaken still
    writes to the prefix when the training has begun.
    """
    if before.outbox.copy and now < before.updated_at + OUTBOX_PATIENCE:
        return unchanged(before, f"The checkpoints of {run.start.continue_from} are being copied.")
    reason = _describe(run)
    return change(run, now, reason, Outbox(copy=True), check_at=now + OUTBOX_PATIENCE)


def pause_copy(run: Run, of: CheckpointCopy, paused: CopyPaused, now: datetime) -> Decision:
    """Go on with the copy in the next call of a function, which a message asks for."""
    copying = replace(of, done=paused.done, after=paused.after, upload=paused.upload, tries=0)
    after = replace(run, copying=copying)
    return change(after, now, _describe(after), check_at=now)


def complete_copy(run: Run, of: CheckpointCopy, answer: Copied) -> Run:
    """Return the run with the checkpoint that its training starts from."""
    newest = replace(answer.newest, key=clean_text(answer.newest.key, MAX_TEXT_BYTES))
    return replace(run, copying=replace(of, newest=newest, after=None, upload=None, tries=0))


def is_awaited(run: Run, of: CheckpointCopy) -> bool:
    """Whether the run still waits for this part of the copy."""
    return run.copying == of and run.waits_to_begin and not run.has_ended


def follow_failure(run: Run, of: CheckpointCopy, failed: Uncopied, facts: Facts, now: datetime) -> Decision:
    """Try again later, or fail."""
    because, passes = as_sentence(failed.because), failed.passes
    reason = f"The checkpoints of {run.start.continue_from} could not be copied: {because}"
    tries = of.tries + 1
    if passes and tries < MOST_TRIES:
        again = replace(run, copying=replace(of, tries=tries))
        seconds = facts.check_every.total_seconds()
        later = f"{reason} Trying again in {seconds:.0f} s."
        return change(again, now, later, check_at=now + facts.check_every)
    if passes:
        reason = f"{reason} Giving up after {tries} tries. Resume the run to try again."
    closed = replace(run, copying=of.anew()).with_attempt(close_uncreated(run.current, now, reason))
    return finish(closed, RunStatus.FAILED, now, reason)


def _describe(run: Run) -> str:
    done = f" Files copied so far: {run.copying.done}." if run.copying and run.copying.done else ""
    return f"Copying the checkpoints of {run.start.continue_from} to {run.checkpoint_uri}.{done}"
