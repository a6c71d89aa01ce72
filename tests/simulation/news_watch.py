"""The checks of what others are told: every change once, by its own id, nothing else, and nothing lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.news import MOST_NEWS, NewsKind
from spot_relay.domain.run.run import OUTBOX_PATIENCE
from spot_relay.domain.shown.events import ATTEMPT_CHANGE, HOSTING_CHANGE, NOTICE, RUN_CHANGE, id_of
from tests.event_schemas import find_flaw
from tests.simulation.violation import ViolationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.news import News
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.shown.events import Event

# So many notices a run sends at most, if it sends every kind: a few, one for each attempt, and one for each time that
# its user moves it, that a wait begins, and that training saves nothing for three hours.
FEW_NOTICES = 30
_TYPES = {
    NewsKind.RUN: RUN_CHANGE,
    NewsKind.ATTEMPT: ATTEMPT_CHANGE,
    NewsKind.HOSTING: HOSTING_CHANGE,
    NewsKind.NOTICE: NOTICE,
}


@dataclass
class NewsWatch:
    """Watches the news of one play, from their first write to the bus."""

    saved_news: dict[str, News] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    facts: set[tuple[str, str, str]] = field(default_factory=set)
    """The facts that notices have told, each of a run, a kind and what it is about."""
    notices: Counter[str] = field(default_factory=Counter)
    drops: set[str] = field(default_factory=set)
    """The ids of the news that found no room any more."""

    def saved(self, before: Run | None, after: Run) -> None:
        """Check a write to the store: it has the news of what it changes, and forgets none that was not told."""
        known = 0 if before is None else before.news
        new = tuple(one for one in after.outbox.news if one.number > known)
        if [one.number for one in new] != list(range(known + 1, after.news + 1)):
            raise ViolationError(13, f"{after.id} has the news {new}, after {known} and with {after.news} in all")
        for subject, changes in _changes(before, after).items():
            self._check_chain(after, subject, changes, new)
        self._note(before, after, new)
        if before is not None:
            self._check_kept(before, after)

    def announced(self, events: Iterable[Event], now: datetime) -> None:
        """Check events that are sent: each tells saved news, once, unless whoever saved it must be dead."""
        for event in events:
            news = self.saved_news.get(event.id)
            if news is None:
                raise ViolationError(13, f"{event.id} is told, and was never saved: {event.detail}")
            if event.detail_type != _TYPES[news.kind]:
                raise ViolationError(13, f"{event.id} is told as {event.detail_type}, and is {news}")
            if flaw := find_flaw(event):
                raise ViolationError(13, f"{event.detail_type} is not as its schema says: {flaw}")
            if event.id in self.events and now < news.at + OUTBOX_PATIENCE:
                raise ViolationError(13, f"{event.id} is told twice, and again at {now}: {news}")
            known = self.events.setdefault(event.id, event)
            if _fact_of(known) != _fact_of(event):
                raise ViolationError(13, f"{event.id} tells two facts: {known.detail} and {event.detail}")

    def closed(self) -> None:
        """Check at the end that everything was told."""
        if lost := set(self.saved_news) - set(self.events) - self.drops:
            raise ViolationError(13, f"nobody was told {sorted(lost)}")

    def _check_chain(
        self, run: Run, subject: tuple[NewsKind, int], change: tuple[str | None, str | None], new: tuple[News, ...]
    ) -> None:
        """Hold the news of one subject to how its state has changed: from the one to the other, without a gap."""
        state, end = change
        for one in new:
            if (one.kind, one.attempt if one.kind is NewsKind.ATTEMPT else 0) != subject:
                continue
            if one.before != state:
                raise ViolationError(13, f"{run.id} has news of {subject} from {one.before}, which was {state}")
            state = one.state
        if state != end:
            raise ViolationError(13, f"{subject} of {run.id} went from {change[0]} to {end}, and the news is {new}")

    def _note(self, before: Run | None, after: Run, new: tuple[News, ...]) -> None:
        if before is not None and before.has_ended and not after.has_ended:
            # Its budgets are new.
            self.facts = {fact for fact in self.facts if fact[:2] != (after.id, "budget_nearly_spent")}
        for one in new:
            if id_of(after, one) in self.saved_news:
                raise ViolationError(13, f"{id_of(after, one)} has been saved before")
            self.saved_news[id_of(after, one)] = one
            if one.kind is not NewsKind.NOTICE:
                continue
            self.notices[after.id] += 1
            fact = after.id, one.state, one.about
            if one.about and fact in self.facts:
                raise ViolationError(13, f"{after.id} tells {one.state} {one.about} again")
            self.facts.add(fact)
        most = FEW_NOTICES + len(after.attempts)
        if self.notices[after.id] > most:
            raise ViolationError(13, f"{after.id} sends {self.notices[after.id]} notices, and {most} are enough")

    def _check_kept(self, before: Run, after: Run) -> None:
        kept = {one.number for one in after.outbox.news}
        for one in before.outbox.news:
            if one.number in kept or id_of(after, one) in self.events:
                continue
            if len(kept) < MOST_NEWS:
                raise ViolationError(13, f"{after.id} has forgotten {one}, which nobody was told")
            self.drops.add(id_of(after, one))


class NoNewsWatch(NewsWatch):
    """Watches no news, where their order and number would tell states apart that are the same otherwise."""

    def saved(self, before: Run | None, after: Run) -> None:
        """Check nothing."""

    def closed(self) -> None:
        """Check nothing."""


def _changes(before: Run | None, after: Run) -> dict[tuple[NewsKind, int], tuple[str | None, str | None]]:
    """Return the state of the run and of each attempt before a write, and after it."""
    was = {} if before is None else dict(_states(before))
    return {subject: (was.get(subject), state) for subject, state in _states(after)}


def _states(run: Run) -> Iterator[tuple[tuple[NewsKind, int], str]]:
    yield (NewsKind.RUN, 0), str(run.status)
    if not run.waits_to_begin:
        for attempt in run.attempts:
            yield (NewsKind.ATTEMPT, attempt.number), _state_of(attempt)


def _state_of(attempt: Attempt) -> str:
    """Return how far an attempt is, by a second opinion on what others want to know."""
    if attempt.status is AttemptStatus.IN_PROGRESS:
        phases = {
            "Training": "Training",
            "Uploading": "Ending",
            "Stopping": "Ending",
            "Completed": "Ending",
            "Failed": "Ending",
            "Stopped": "Ending",
            "MaxRuntimeExceeded": "Ending",
            "MaxWaitTimeExceeded": "Ending",
        }
        return phases.get(attempt.phase or "", "Interrupted" if attempt.interruptions else "Launched")
    queued = attempt.status is AttemptStatus.PLANNED and (attempt.waits_for_room or attempt.waits_for_any_room)
    return "Queued" if queued else str(attempt.status)


def _fact_of(event: Event) -> tuple[object, ...]:
    detail = event.detail
    keys = ("at", "run_id", "attempt", "status", "state", "previous_status", "previous_state", "kind")
    return event.detail_type, *(detail.get(key) for key in keys)
