"""What is new about a run after a decision: the one place where events and notices begin."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.news import AttemptState, News, NewsKind
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.sagemaker.job import ENDED_SECONDARIES, SecondaryStatus
from spot_relay.domain.shown.notices import find_notices, forget_facts, remember_fact
from spot_relay.domain.text import MAX_MESSAGE_BYTES, shorten
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.run import Run

_ENDING = frozenset({"Uploading", SecondaryStatus.STOPPING, *ENDED_SECONDARIES})


def tell_news(before: Run | None, after: Run, now: datetime) -> tuple[Run, Outbox]:
    """Return a run that has just been changed with its news counted, and the duty to tell them.

    ``before`` is None for a run that was just created.
    """
    found = list(_find_changes(before, after, now))
    noticed = forget_facts(before, after)
    for kind, about in find_notices(before, after, now):
        noticed = remember_fact(noticed, kind, about)
        found.append(replace(_about(after, after.current, NewsKind.NOTICE, kind, now), about=about))
    told, owes = _number(after, found)
    return replace(told, noticed=noticed), owes


def owe_news(run: Run, *, of_run: bool, of_hosting: bool) -> Run:
    """Return a run that owes the news of what it is now, as an earlier release has stored it."""
    found = []
    if of_run:
        found.append(_about(run, run.current, NewsKind.RUN, run.status, run.updated_at))
    if of_hosting and run.hosting_status is not None:
        found.append(_about(run, run.current, NewsKind.HOSTING, run.hosting_status, run.updated_at))
    told, owes = _number(run, found)
    return replace(told, outbox=run.outbox.then(owes))


def state_of(attempt: Attempt) -> AttemptState:
    """Return how far an attempt is, for others."""
    if attempt.status is AttemptStatus.ENDED:
        return AttemptState.ENDED
    if attempt.status is AttemptStatus.PLANNED:
        waits = attempt.waits_for_room or attempt.waits_for_any_room
        return AttemptState.QUEUED if waits else AttemptState.PLANNED
    if attempt.phase == SecondaryStatus.TRAINING:
        return AttemptState.TRAINING
    if attempt.phase in _ENDING:
        return AttemptState.ENDING
    return AttemptState.INTERRUPTED if attempt.interruptions else AttemptState.LAUNCHED


def _find_changes(before: Run | None, after: Run, now: datetime) -> Iterator[News]:
    """Yield the news for programs: of the attempts, of the run, and of its model."""
    known = before if before is not None and not before.waits_to_begin else None
    if not after.waits_to_begin:
        for attempt in after.attempts[len(known.attempts) - 1 if known else 0 :]:
            earlier = known.attempt(attempt.number) if known else None
            was, state = None if earlier is None else state_of(earlier), state_of(attempt)
            if earlier is None or was is not state or earlier.placement != attempt.placement:
                told = _about(after, attempt, NewsKind.ATTEMPT, state, now, was)
                yield replace(told, placement=attempt.placement, cause=attempt.cause)
    status = None if before is None else before.status
    if status is not after.status:
        yield _about(after, after.current, NewsKind.RUN, after.status, now, status)
    hosted = after.hosting_status
    if hosted is not None and (before is None or before.hosting_status is None):
        yield _about(after, after.current, NewsKind.HOSTING, hosted, now)


def _about(run: Run, attempt: Attempt, kind: NewsKind, state: str, now: datetime, before: str | None = None) -> News:
    """Return news of a run, with the number that follows its last."""
    return News(run.news + 1, kind, state, now, before, attempt.number, shorten(run.reason, MAX_MESSAGE_BYTES))


def _number(run: Run, found: Sequence[News]) -> tuple[Run, Outbox]:
    """Return the run once it has counted its news, and the duty to tell it, numbered from the run's next number on."""
    numbered = tuple(replace(one, number=one.number + after) for after, one in enumerate(found))
    return replace(run, news=run.news + len(found)), Outbox(news=numbered)
