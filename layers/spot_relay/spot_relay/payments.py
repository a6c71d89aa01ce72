"""Pay what a run owes: perform and publish its duties, and save that this is done."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.decide.decision import reason_after, settle
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.steps import last_word
from spot_relay.domain.run.checkpoint_copy import CopyPaused
from spot_relay.domain.run.observation import CheckpointsCopied, Due, Overgrown, keep_what_exists
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import OUTBOX_PATIENCE
from spot_relay.domain.values import dataclass, replace
from spot_relay.ports import ConflictError, RunTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from spot_relay.domain.run.news import News
    from spot_relay.domain.run.observation import Observation
    from spot_relay.domain.run.run import Run
    from spot_relay.duties import Duties
    from spot_relay.ports import RunStore, Telemetry

# A run has few writers. One that loses this often in a row leaves the message to its queue's retry.
MAX_CONFLICTS = 20


@dataclass(frozen=True)
class Payments:
    """Pays what runs owe, over the ports of one stack."""

    store: RunStore
    duties: Duties
    telemetry: Telemetry
    clock: Callable[[], datetime]
    draw: Callable[[], float]
    check_every: timedelta
    load: Callable[[str], Run]
    """Loads a run that exists."""

    def pay(
        self,
        run: Run,
        answers: tuple[Observation, ...] = (),
        *,
        may_copy: bool = False,
        own_news: frozenset[int] = frozenset(),
    ) -> tuple[Run, Exception | None]:
        """Perform what a run owes and save that it is done; then do the same with what the answers of launches add.

        A launch whose answer is known already is not repeated. What cannot be published stays owed, and the failure is
        returned: the run itself continues without it. The same holds for what cannot be told. What takes
        several calls of a function stays owed as well, and a message asks for the next one.

        ``may_copy`` says that this call itself has just saved that the run owes a copy. Only then is anything copied.
        ``own_news`` has the numbers of the news that it has just saved. Nothing keeps others from receiving an event
        twice, so all other news is left to whoever saved it, until that function must be dead.
        """
        failure: Exception | None = None
        untold: Exception | None = None
        published = has_saved = has_told = has_paused = False
        announced: frozenset[int] = frozenset()
        for _ in range(MAX_CONFLICTS):
            owed_here, left = self._split(run, answers, has_told=has_told, may_copy=may_copy)
            owed_here = replace(owed_here, news=self._list_news(run, own_news, announced))
            # Only what is saved: neither an answer to a task nor an event can be taken back.
            tells = Outbox() if untold else Outbox(tasks=owed_here.tasks if run.has_ended else (), news=owed_here.news)
            nothing_to_do = not answers and not owed_here.acts
            nothing_to_publish = not owed_here or (published and not tells) or failure is not None
            if nothing_to_do and nothing_to_publish:
                if has_paused or (has_saved and run.outbox.tell_followers):
                    self.duties.wakeups.look(run.id, timedelta(0))
                return run, failure or untold
            answers += self.duties.perform(run, owed_here.without(answers))
            has_told = has_told or owed_here.tell_followers
            answers += self.duties.host(run, owed_here) + self.duties.copy(run, owed_here)
            told = self.duties.tell(run, tells)
            untold = untold or told.failure
            announced |= told.news
            left = left.then(told.leave(run.outbox, announced))
            settled = self._settle(run, (*answers, *told.gone))
            # What this call has published already is owed once more only for later.
            earlier = Outbox() if published and failure is None else run.outbox.publications
            owed = earlier.then(settled.outbox)
            failure = failure or self.duties.publish(settled, owed)
            still_owed = owed.publications if failure else last_word(settled, self.clock())
            settled = replace(settled, outbox=owed.actions.then(still_owed).then(left))
            if settled == run:
                return run, failure or untold
            try:
                saved = self.store.save(settled)
            except ConflictError:
                run, answers, published, may_copy = self.load(run.id), keep_what_exists(answers), False, False
                continue
            except RunTooLargeError:
                if Overgrown() in answers:
                    raise
                answers = (*answers, Overgrown())
                continue
            # Only whoever settled the outbox publishes its metrics, because a metric cannot be published twice.
            self.telemetry.measure(run.id, run.outbox.measures + owed.measures)
            has_paused = has_paused or any(map(_is_paused, answers))
            own_news |= {one.number for one in saved.outbox.news if one.number > run.news}
            run, answers, published, has_saved = saved, (), True, True
        raise ConflictError(run.id)

    def _split(
        self, run: Run, answers: tuple[Observation, ...], *, has_told: bool, may_copy: bool
    ) -> tuple[Outbox, Outbox]:
        """Return what is done here, and what is left to another function, or to another call of this one."""
        owed = run.outbox.without(answers)
        left = Outbox(
            host=() if self.duties.hosting else owed.host,
            copy=owed.copy and run.waits_to_begin and not run.has_ended and not (may_copy and self.duties.copies),
            tell_followers=has_told and owed.tell_followers,
            told=owed.told if has_told else "",
        )
        rest = replace(
            run.outbox,
            host=() if left.host else owed.host,
            copy=owed.copy and not left.copy,
            tell_followers=owed.tell_followers and not has_told,
        )
        return rest, left

    def _list_news(self, run: Run, own: frozenset[int], announced: frozenset[int]) -> tuple[News, ...]:
        """Return the news that this call has to tell: its own, and what others must have died with."""
        owed = [one for one in run.outbox.news if one.number not in announced]
        if all(one.number in own for one in owed):
            return tuple(owed)
        patience = self.clock() - OUTBOX_PATIENCE
        return tuple(one for one in owed if one.number in own or one.at <= patience)

    def _settle(self, run: Run, answers: tuple[Observation, ...]) -> Run:
        facts = Facts(Due(), draw=self.draw(), check_every=self.check_every)
        settled = settle(run, answers, facts, self.clock())
        for answer in answers:
            self.telemetry.log_decision(settled, type(answer).__name__, reason_after(answer, settled))
        return settled


def _is_paused(answer: Observation) -> bool:
    return isinstance(answer, CheckpointsCopied) and isinstance(answer.answer, CopyPaused)
