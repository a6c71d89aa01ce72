"""Services that are broken on purpose, one for each invariant: a harness that does not catch them finds nothing."""

from __future__ import annotations

import itertools
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from spot_relay import service as use_cases
from spot_relay import triggers
from spot_relay.domain.decide import beginnings, copies, deadlines, ends, hosting, markets, moves, steps
from spot_relay.domain.decide import decision as deciding
from spot_relay.domain.decide import launch_answers as answers
from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.launch_answers import follow_launch, follow_refusal
from spot_relay.domain.decide.markets import Steering
from spot_relay.domain.decide.steps import Decision, change, give_up_canary, plan
from spot_relay.domain.rules import after_end
from spot_relay.domain.rules.after_end import relaunch_after
from spot_relay.domain.rules.arrivals import Step, join_burst, name_run_of
from spot_relay.domain.rules.next_place import Onward, Place, choose_place
from spot_relay.domain.run import hosting_part
from spot_relay.domain.run.attempt import AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.hosting import HostingStatus, HostingStep
from spot_relay.domain.run.hosting_part import part_of
from spot_relay.domain.run.launch import CANARY_TAG, Launch
from spot_relay.domain.run.observation import JobChanged, Launched, Refused
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Budget
from spot_relay.domain.run.run import MAX_ATTEMPTS, Run
from spot_relay.domain.sagemaker.job import Absent, Checkpoint, Job, Market
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.shown import news as told_news
from spot_relay.domain.shown.news import tell_news
from spot_relay.domain.values import No, replace
from spot_relay.duties import Duties, Told
from spot_relay.payments import MAX_CONFLICTS
from spot_relay.ports import ConflictError
from spot_relay.service import Service
from tests import fakes
from tests.fakes import MemoryRunStore, MemorySlots
from tests.simulation.sagemaker import SageMaker
from tests.simulation.storage import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.rules.after_end import Relaunch
    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, CopyPaused
    from spot_relay.domain.run.hosting import Part
    from spot_relay.domain.run.observation import Observation
    from spot_relay.domain.run.template import Arrival, Template


find = SageMaker.find
publish = Duties.publish


@dataclass(frozen=True)
class Broken:
    """What a broken service does, the invariant that it breaks, and what it puts in the place of which piece."""

    title: str
    invariant: int
    pieces: tuple[tuple[object, str, Any], ...]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Break the service for a while."""
        with ExitStack() as patches:
            for owner, name, piece in self.pieces:
                patches.enter_context(patch.object(owner, name, piece))
            yield


def _deciding(change: Callable[[Run, Facts, datetime], Decision]) -> tuple[tuple[object, str, Any], ...]:
    """Change what is decided; others are told of it all the same, so that nothing but this is wrong."""

    def changed(run: Run, facts: Facts, now: datetime) -> Decision:
        decided = change(run, facts, now)
        if decided.run is run or decided.run.news > run.news:
            return decided
        told, news = tell_news(run, decided.run, now)
        return replace(decided, run=told, owes=decided.owes.then(news))

    return ((use_cases, "decide", changed),)


def _clones_what_is_interrupted(run: Run, facts: Facts, now: datetime) -> Decision:
    seen, attempt = facts.observation, run.current
    lives = attempt.status is AttemptStatus.IN_PROGRESS and not run.has_ended
    if isinstance(seen, JobChanged) and lives and seen.secondary_status == "Interrupted":
        again = Onward(Place(attempt.rung, attempt.placement), Cause.STOPPED)
        return plan(run, facts.checkpoint, again, now, "the job was interrupted, so another is launched")
    return decide(run, facts, now)


def _trusts_that_an_event_will_come(run: Run, facts: Facts, now: datetime) -> Decision:
    decision = decide(run, facts, now)
    if decision.run is run or decision.run.has_ended or decision.run.current.status is not AttemptStatus.IN_PROGRESS:
        return decision
    return replace(decision, run=replace(decision.run, check_at=now + timedelta(days=365)))


def _changes_what_has_ended(run: Run, facts: Facts, now: datetime) -> Decision:
    if run.has_ended and isinstance(facts.observation, JobChanged):
        return change(run, now, "an event was heard")
    return decide(run, facts, now)


def _leaves_a_stopped_run_its_job(run: Run, facts: Facts, now: datetime) -> Decision:
    decision = decide(run, facts, now)
    return replace(decision, owes=replace(decision.owes, stop=None)) if decision.run.stop_requested else decision


def _leaves_its_canary_alive(run: Run) -> tuple[Run, Outbox]:
    return give_up_canary(run)[0], Outbox()


def _draws_twice_on_a_budget(run: Run, facts: Facts, now: datetime) -> Decision:
    seen = facts.observation
    attempt = run.attempt(seen.attempt) if isinstance(seen, JobChanged) else None
    ended = attempt is not None and attempt.status is AttemptStatus.ENDED and not run.has_ended
    left = run.spent.expired_waits < run.policy.budgets.expired_waits
    if isinstance(seen, JobChanged) and seen.says_ended and ended and left:
        spent = replace(run.spent, expired_waits=run.spent.expired_waits + 1)
        return change(run, now, "a wait has expired", spent=spent)
    return decide(run, facts, now)


def _acts_before_it_saves(self: Service, run: Run, observation: Observation) -> Any:
    for _ in range(MAX_CONFLICTS):
        run, failure = self._pay(run)
        decision = decide(run, self._gather(run, observation), self.clock())
        answers = self._duties.perform(decision.run, decision.owes)
        if decision.run is run:
            return use_cases._require_published(run, failure), decision
        reopens = run.has_ended and not decision.run.has_ended
        write = self.store.reopen if reopens else self.store.save
        try:
            saved = write(replace(decision.run, outbox=run.outbox))
        except ConflictError:
            run = self._load(run.id)
            continue
        self.store.save(self._payments._settle(saved, answers))
        return saved, decision
    raise ConflictError(run.id)


def _believes_events(self: Service, run: Run, attempt: Attempt) -> Any:
    """Take a job that was heard of as ended, without a look."""
    known = self.jobs.describe(attempt.job_name)
    if not isinstance(known, Job) or known.has_ended or known.secondary_status != "Interrupted":
        return known
    return replace(known, status="Stopped", secondary_status="MaxWaitTimeExceeded")


def _takes_silence_for_a_no(run: Run, answer: Refused, facts: Facts, now: datetime) -> Decision:
    """Go on elsewhere after a launch that was not answered, as if its job could not exist."""
    no = replace(answer, refusal=Refusal.QUOTA_TOO_SMALL) if answer.refusal.leaves_open else answer
    return follow_refusal(run, no, facts, now)


def _believes_its_plan(run: Run, answer: Launched, facts: Facts, now: datetime) -> Decision:
    return follow_launch(run, replace(answer, placement=None), facts, now)


def _goes_by_the_name(self: SageMaker, launch: Launch) -> Job | Absent:
    if CANARY_TAG in launch.tags:
        return self.describe(launch.job_name)
    return find(self, launch)


def _forgives_one_more(run: Run, attempt: Attempt) -> Relaunch | No:
    budgets = run.policy.budgets
    more = replace(
        budgets,
        expired_waits=budgets.expired_waits + 1,
        capacity_failures=budgets.capacity_failures + 1,
        service_errors=budgets.service_errors + 1,
    )
    return relaunch_after(replace(run, policy=replace(run.policy, budgets=more)), attempt)


def _forgives_lack_of_progress(run: Run, attempt: Attempt) -> Relaunch | No:
    endless = replace(run.policy.budgets, attempts_without_progress=MAX_ATTEMPTS)
    return relaunch_after(replace(run, policy=replace(run.policy, budgets=endless)), attempt)


def _counts_a_refusal_twice(
    run: Run, attempt: Attempt, refusal: Refusal, message: str, facts: Facts, now: datetime
) -> Decision:
    return _TRY_AGAIN(replace(run, spent=run.spent.draw(Budget.REFUSALS)), attempt, refusal, message, facts, now)


def _is_known_to_exist(self: Canary) -> bool:
    """Take a canary whose creation was not answered for one that does not exist."""
    return self.status is not CanaryStatus.PLANNED and self.refusal is None


def _finds_nothing_wrong(*_: object) -> None:
    """Find no reason against an attempt."""


def _finds_none(_: Run) -> tuple[str, ...]:
    """Wait for no other run."""
    return ()


def _saves_whatever_was_there(self: RunStore, run: Run) -> Run:
    before = self.runs.get(run.id)
    stored = replace(run, version=0 if before is None else before.version)
    saved = MemoryRunStore.save(self, stored)
    self._written(before, saved, reopened=False)
    return saved


def _checks_nothing(self: RunStore, run: Run) -> None:
    """Let the prefix be whosever it is."""


def _begins_with_half(run: Run, of: CheckpointCopy, paused: CopyPaused, now: datetime) -> Decision:
    """Begin with what one call of a function could copy."""
    newest = Checkpoint(f"{run.id}/{paused.after}", now)
    return beginnings.begin(replace(run, copying=replace(of, newest=newest)), now)


def _names_anew(run: Run, step: HostingStep) -> Part | None:
    """Name each model after the time as well, so that none is ever taken for one that is there already."""
    part = part_of(run, step)
    if part is None or step is not HostingStep.MODEL:
        return part
    name = f"{part.name}-{run.version}"
    return replace(part, name=name, request=part.request | {"ModelName": name})


def _is_content_with_any(self: Any) -> Decision:
    """Take an endpoint that is in service for updated, whatever it serves."""
    return hosting._settle(self.run, self.task, HostingStatus.SUCCEEDED, "It is in service.", self.at)


def _goes_by_its_policy_alone(run: Run, cause: Cause, now: datetime) -> Onward | No:
    return choose_place(replace(run, moved_to=None), cause, now)


def _leaves_it_to_others(run: Run, attempt: Attempt, market: Market, reason: str) -> Steering:
    return Steering(markets.switch(run, attempt, market, reason).run, reason=reason)


def _leaves_it_alone(run: Run, *_: object) -> Steering:
    return Steering(run)


_TRY_AGAIN = answers._try_again

_events = itertools.count()


def _names_each_event(template: Template, arrival: Arrival) -> str:
    return name_run_of(template, replace(arrival, version=f"{arrival.version} {next(_events)}"))


def _knows_no_later_burst(*given: Any) -> Step:
    """Take whatever comes once a run has begun for what it has trained on."""
    step, (burst, run, *_) = join_burst(*given), given
    return Step.NOTHING if step is Step.OPEN and burst is not None and run is not None else step


def _numbers_all_alike(before: Run | None, after: Run, now: datetime) -> tuple[Run, Outbox]:
    told, owes = tell_news(before, after, now)
    return replace(told, news=after.news), owes


def _leaves_no_news(told: Told, owed: Outbox, _announced: frozenset[int]) -> Outbox:
    return Outbox(tasks=tuple(token for token in owed.tasks if token not in told.tasks))


def _tells_before_it_saves(duties: Duties, run: Run, owed: Outbox) -> Exception | None:
    duties.tell(run, Outbox(news=run.outbox.news))
    return publish(duties, run, owed)


BROKEN = (
    Broken("clones what is interrupted", 1, _deciding(_clones_what_is_interrupted)),
    Broken("trusts that an event will come", 2, _deciding(_trusts_that_an_event_will_come)),
    Broken("acts before it saves", 3, ((Service, "_advance", _acts_before_it_saves),)),
    Broken(
        "takes silence for a no",
        3,
        ((answers, "follow_refusal", _takes_silence_for_a_no), (answers, "follow_launch", _believes_its_plan)),
    ),
    Broken("knows its canary by the name alone", 3, ((SageMaker, "find", _goes_by_the_name),)),
    Broken("changes what has ended", 4, _deciding(_changes_what_has_ended)),
    Broken("takes an interruption for an end", 5, ((Service, "_look_at_attempt", _believes_events),)),
    Broken("forgives one end more than it may", 6, ((ends, "relaunch_after", _forgives_one_more),)),
    Broken("forgives any lack of progress", 6, ((ends, "relaunch_after", _forgives_lack_of_progress),)),
    Broken("counts a refusal twice", 6, ((answers, "_try_again", _counts_a_refusal_twice),)),
    Broken("takes no MaxRuntime for final", 6, ((after_end, "_check_max_runtime", _finds_nothing_wrong),)),
    Broken("pays whatever an attempt may cost", 6, ((steps, "check_money", _finds_nothing_wrong),)),
    Broken("keeps no money for a canary without an answer", 6, ((Canary, "may_exist", property(_is_known_to_exist)),)),
    Broken("lets runs share a prefix", 7, ((RunStore, "_check_prefix", _checks_nothing),)),
    Broken("lets a late event draw on a budget", 8, _deciding(_draws_twice_on_a_budget)),
    Broken("leaves a stopped run its job", 4, _deciding(_leaves_a_stopped_run_its_job)),
    Broken("leaves its canary alive", 4, ((steps, "give_up_canary", _leaves_its_canary_alive),)),
    Broken("begins whatever has become of the others", 9, ((Run, "open_predecessors", property(_finds_none)),)),
    Broken("begins with half a copy", 9, ((copies, "pause_copy", _begins_with_half),)),
    Broken("names a model anew with each try", 10, ((hosting_part, "part_of", _names_anew),)),
    Broken(
        "is content with any configuration in service",
        10,
        ((hosting._Look, "_follow_other_configuration", _is_content_with_any),),
    ),
    Broken("goes by its policy alone after a move", 11, ((ends, "choose_place", _goes_by_its_policy_alone),)),
    Broken("accepts whatever deadline", 11, ((deadlines, "check_deadline", _finds_nothing_wrong),)),
    Broken(
        "leaves a moved run its job",
        4,
        ((moves, "switch", _leaves_it_to_others), (markets, "_stop_again", _leaves_it_alone)),
    ),
    Broken("takes each event for new data", 12, ((triggers, "name_run_of", _names_each_event),)),
    Broken("starts a run for each object of a burst", 12, ((triggers, "join_burst", lambda *_: Step.OPEN),)),
    Broken("forgets what was put before a run began", 12, ((triggers, "join_burst", _knows_no_later_burst),)),
    Broken("lets every run of a template begin", 12, ((MemorySlots, "take_place", lambda *_: True),)),
    Broken("takes places from runs that are under way", 12, ((fakes, "needs_no_place", lambda *_: True),)),
    Broken("saves over what another has saved", 4, ((RunStore, "save", _saves_whatever_was_there),)),
    Broken("tells everything by the same number", 13, ((deciding, "tell_news", _numbers_all_alike),)),
    Broken("forgets news that the bus rejects", 13, ((Told, "leave", _leaves_no_news),)),
    Broken("tells news before it is saved", 13, ((Duties, "publish", _tells_before_it_saves),)),
    Broken("tells people the same again", 13, ((told_news, "remember_fact", lambda noticed, *_: noticed),)),
)
