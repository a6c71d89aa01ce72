"""How a run begins that has to wait first: for other runs, for a time, or for others of its template to end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.decide import copies
from spot_relay.domain.decide.acceptance import Objection, place_first
from spot_relay.domain.decide.steps import (
    Decision,
    change,
    close_uncreated,
    finish,
    finish_stopped,
    launch_again,
    record,
    unchanged,
)
from spot_relay.domain.rules.predecessors import MOST_LOOKED_AT, describe_place, find_cycle
from spot_relay.domain.run.checkpoint_copy import Copied, CopyPaused, Uncopied
from spot_relay.domain.run.run import TICK, Run, RunStatus
from spot_relay.domain.run.start import LONGEST_AHEAD, OnFailure
from spot_relay.domain.sagemaker.request import add_model_channel
from spot_relay.domain.values import No, replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.run.observation import CheckpointsCopied, DataArrived

# What to do once nothing stands against a run any more.
_SUBMIT, _RESUME = "submit this one again", "resume this one"
# How often a run looks by itself at those that it waits for. The end of each of them wakes it at once.
LOOK_EVERY = timedelta(hours=1)
# Data that never stops arriving must not keep a run from ever beginning.
LONGEST_BURST = timedelta(days=1)


def object_to_start(run: Run, known: Mapping[str, Run | None], now: datetime) -> tuple[Objection, ...]:
    """Return why a submission can never begin; ``known`` is what `gather_predecessors` returned for it."""
    if run.start.at is not None and run.start.at > run.start.earliest(now):
        message = f"{_show(run.start.at)} is more than {LONGEST_AHEAD.days} days from now. Use an earlier time."
        return (Objection("start_at", message),)
    if cycle := find_cycle(run, known):
        return (Objection("after", f"Runs would wait for each other: {' → '.join(cycle)}. Leave one of them out."),)
    if len(known) >= MOST_LOOKED_AT:
        message = (
            f"The run would wait for {MOST_LOOKED_AT} others or more, with those that they wait for. Submit it once "
            "some of them have completed."
        )
        return (Objection("after", message),)
    found = (_look_at(run, name, known, now, _SUBMIT) for name in run.open_predecessors)
    return tuple(Objection("after", no.because) for no in found if isinstance(no, No))


def follow_predecessor(run: Run, facts: Facts, now: datetime) -> Decision:
    """Look at the runs that this one waits for, because one of them has ended."""
    if run.has_ended or run.stop_requested or not run.waits_to_begin:
        return unchanged(run, "The run is not waiting for another run.")
    return begin_or_wait(run, facts, now)


def follow_data(run: Run, arrived: DataArrived, now: datetime) -> Decision:
    """Wait until no more data arrives, but not for ever."""
    if run.has_ended or run.stop_requested or not run.waits_to_begin or run.start.at is None or run.is_copying:
        return unchanged(run, "The run no longer waits for more data.")
    at = min(arrived.settled_at, run.created_at + LONGEST_BURST)
    if at <= run.start.at:
        return unchanged(run, "The run waits long enough for this data already.")
    later = replace(run, start=replace(run.start, at=at))
    look = run.check_at if run.open_predecessors and run.check_at is not None else at
    return record(later, now, "More data has arrived. Waiting until no more does.", check_at=look)


def needs_place(run: Run, facts: Facts, now: datetime) -> bool:
    """Whether it matters if a run has a place among the runs of its template that may be under way."""
    if run.start.at_most is None:
        return False
    with_place, without = (begin_or_wait(run, replace(facts, has_place=has), now) for has in (True, False))
    return with_place != without


def follow_copy(run: Run, copied: CheckpointsCopied, facts: Facts, now: datetime) -> Decision:
    """Launch the first attempt if all of another run's checkpoints are copied; else go on, or fail."""
    if not copies.is_awaited(run, copied.of):
        return unchanged(run, "The run is not waiting for this copy of checkpoints.")
    if run.stop_requested:
        return _stop(run, now)
    match copied.answer:
        case Copied() as answer:
            return begin(copies.complete_copy(run, copied.of, answer), now)
        case CopyPaused() as answer:
            return copies.pause_copy(run, copied.of, answer, now)
        case Uncopied() as answer:
            return copies.follow_failure(run, copied.of, answer, facts, now)


def begin_or_wait(run: Run, facts: Facts, now: datetime) -> Decision:
    """Launch the first attempt if everything has come that the run waits for; else wait on, or fail."""
    if run.stop_requested:
        # Whoever was copying checkpoints is done by now, or was killed.
        return _stop(run, now)
    if cycle := find_cycle(run, facts.predecessors):
        return _fail(run, f"Runs wait for each other, so none of them can begin: {' → '.join(cycle)}.", now)
    if any(name not in facts.predecessors for name in run.open_predecessors):
        # It has become due since the facts were gathered, and what was not looked at may exist. The tick comes again.
        return unchanged(run, "The run is not due yet.")
    looked = run
    for name in run.open_predecessors:
        after = _look_at(looked, name, facts.predecessors, now, _RESUME)
        if isinstance(after, No):
            return _fail(looked, after.because, now)
        looked = after
    has_place = looked.start.at_most is None or facts.has_place
    if looked.open_predecessors or (looked.start.at is not None and now < looked.start.at) or not has_place:
        return _wait(run, looked, facts, now)
    return begin(looked, now) if looked.copying is None else copies.copy_on(looked, run, now)


def begin(run: Run, now: datetime) -> Decision:
    """Launch the first attempt of a run that has waited."""
    began = place_first(replace(run, waits_to_begin=False), now)
    first = replace(began.current, planned_at=now, resumes_from=run.copying.newest if run.copying else None)
    match run.start.after:
        case () if run.start.at_most is not None:
            place = describe_place(run.start)
            why = f"{place[0].upper()}{place[1:]}."
        case ():
            why = "Its time has come."
        case (name,):
            why = f"The run {name} has completed."
        case _:
            why = "All runs that it comes after have completed."
    start = f" It starts from the checkpoint {first.resumes_from.key}." if first.resumes_from else ""
    return launch_again(began, first, now, f"{why} Launching {first.job_name}.{start}")


def describe_wait(run: Run, now: datetime) -> str:
    """Return what a run waits for before its first launch, as a sentence."""
    names, all_names, at = run.open_predecessors, run.start.after, run.start.at
    until = f"until {_show(at)}" if at is not None and now < at else ""
    if not names and not until:
        return f"Waiting until {describe_place(run.start)}."
    if not names:
        return f"Waiting {until}, when the run starts."
    others = f"the run {names[0]}" if len(names) == 1 else f"the runs {', '.join(names[:-1])} and {names[-1]}"
    done = f" ({len(all_names) - len(names)} of {len(all_names)} have completed)" if len(all_names) > 1 else ""
    return f"Waiting for {others} to complete{done}" + (f", and {until}." if until else ".")


def _show(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _look_at(run: Run, name: str, known: Mapping[str, Run | None], now: datetime, then: str) -> Run | No:
    """Return the run after a look at one that it waits for, or why it cannot begin, and what to do ``then``."""
    other = known.get(name)
    if other is None:
        if now < run.start.known_by(run.created_at):
            return run
        return No(f"There is no run {name}, which this one comes after. Submit that one first, then {then}.")
    if _continues_from(run, other) and run.start.checkpoint and (no := copies.check_source(run, other)):
        return no
    if other.status is RunStatus.COMPLETED:
        return _take_over(replace(run, completed=(*run.completed, name)), other)
    if other.has_ended and run.start.on_failure is OnFailure.FAIL:
        return No(
            f"This run comes after {name}, which is {other.status}. Once that one has completed, {then}. To have a run "
            "wait for that, write after.on_failure: wait."
        )
    return run


def _continues_from(run: Run, other: Run) -> bool:
    return run.start.continue_from is not None and run.start.continue_from.lower() == other.id.lower()


def _take_over(run: Run, other: Run) -> Run | No:
    """Return the run with what it continues from, a model or checkpoints to copy, if that is of this other run."""
    start = run.start
    if not _continues_from(run, other):
        return run
    if start.checkpoint:
        return copies.begin_copy(run, other)
    if other.model_artifacts is None:
        return No(f"This run continues from {other.id}, which has completed but left no model. Name one that has.")
    return replace(run, training_job=add_model_channel(run.training_job, start.channel, other.model_artifacts))


def _wait(before: Run, run: Run, facts: Facts, now: datetime) -> Decision:
    """Wait on. The end of a run that it waits for wakes it, through an index that may lag behind its own writes.

    The same holds for the end of another run of its template, if there are too many of them.
    """
    others, at = run.open_predecessors, run.start.at
    looks = [at] if at is not None and now < at else []
    if others or not looks:
        after = replace(run, updated_at=now)
        is_new = now < run.created_at + TICK or after.waits_for_run != before.waits_for_run
        is_new = is_new or after.waits_for_place != before.waits_for_place
        looks.append(now + (TICK if is_new else LOOK_EVERY))
    if any(facts.predecessors.get(name) is None for name in others):
        looks.append(max(now, run.start.known_by(run.created_at)))
    return change(run, now, describe_wait(run, now), check_at=min(looks))


def _stop(run: Run, now: datetime) -> Decision:
    return finish_stopped(run.with_attempt(close_uncreated(run.current, now)), now)


def _fail(run: Run, because: str, now: datetime) -> Decision:
    return finish(run.with_attempt(close_uncreated(run.current, now, because)), RunStatus.FAILED, now, because)
