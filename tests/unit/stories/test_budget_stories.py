"""Whatever happens to a run, in any order, it keeps to its budgets."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spot_relay.domain.run.observation import ResumeRequested
from spot_relay.domain.run.policy import Budgets, Policy, Rung, Spent
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.service import RejectedError
from tests.thoroughness import examples
from tests.unit.priced import ENDS, HOUR, M5, P3, PRICES, TOO_SMALL, priced
from tests.unit.worlds import submission

if TYPE_CHECKING:
    from spot_relay.domain.sagemaker.job import Job

pytestmark = pytest.mark.slow
COUNTS = list(asdict(Spent()))
# Most of them pass; those that do not end the run, or move it to another rung.
REFUSALS = [*[r for r in Refusal if r.passes], Refusal.QUOTA_TOO_SMALL, Refusal.QUOTA_TOO_SMALL, Refusal.INVALID]
# What an hour on the dearest rung costs, so that no ladder is refused for it.
DEAREST = 2 * PRICES.by_instance_type[P3].on_demand_usd


# What a user can do about a failed run.
ADVICE = ("esume the run", "MaxRuntimeInSeconds", "under another name")


class Story(RuleBasedStateMachine):
    """A run with a random ladder and random budgets, to which anything may happen in any order."""

    @initialize(
        ladder=st.lists(
            st.builds(
                Rung,
                st.builds(Placement, st.sampled_from([M5, P3]), st.integers(1, 2), st.sampled_from(Market)),
                st.integers(1, 2),
            ),
            max_size=3,
        ),
        counts=st.fixed_dictionaries(dict.fromkeys(COUNTS, st.integers(0, 3))),
        money=st.none() | st.floats(DEAREST, 2 * DEAREST),
        draw=st.sampled_from([0.0, 0.5, 0.999]),
    )
    def begin(self, ladder: list[Rung], counts: dict[str, int], money: float | None, draw: float) -> None:
        self.world = priced()
        self.world.draw = draw
        self.resumed_at = 1
        self.events: list[Any] = []
        budgets = Budgets(**counts, money_usd=money)
        self.world.service.submit(submission(Policy(budgets, relaunch_on_max_runtime=True, ladder=tuple(ladder))))

    @property
    def live(self) -> Job | None:
        job = self.world.jobs.jobs.get(self.world.run().current.job_name)
        return None if job is None or job.has_ended else job

    @rule(seconds=st.sampled_from([1, 60, 300, 1200]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.passes(seconds)
        self.world.tick()

    @rule(refusal=st.sampled_from(REFUSALS))
    def sagemaker_will_refuse(self, refusal: Refusal) -> None:
        self.world.jobs.refusals = [(refusal, TOO_SMALL)]

    @precondition(lambda self: self.live)
    @rule(
        end=st.sampled_from([*ENDS.values(), ("Stopped", "MaxRuntimeExceeded", {})]),
        seconds=st.none() | st.integers(600, HOUR),
        leaves=st.booleans(),
        fate=st.sampled_from(["lost", "told", "told", "twice"]),
    )
    def the_job_ends(self, end: tuple[str, str, dict[str, str]], seconds: int | None, leaves: bool, fate: str) -> None:
        attempt, (status, secondary, changes) = self.world.run().current, end
        known: dict[str, Any] = {}
        if seconds is not None:
            self.world.trains(attempt.number, seconds)
            price = PRICES.by_instance_type[attempt.placement.instance_type]
            share = price.usd_per_hour(attempt.placement.market) / price.on_demand_usd
            known = {"training_seconds": seconds, "billable_seconds": int(seconds * share)}
            if leaves:
                self.world.checkpoint(f"checkpoint-{attempt.number}")
        self.world.jobs.becomes(attempt.job_name, status, secondary, **changes, **known)
        self.events.append(self.world.event(attempt.number, status, secondary))
        for _ in range({"lost": 0, "told": 1, "twice": 2}[fate]):
            self.world.advance(self.events[-1])

    @precondition(lambda self: self.events)
    @rule(which=st.integers(0, 99))
    def an_old_event_comes_again(self, which: int) -> None:
        self.world.advance(self.events[which % len(self.events)])

    @precondition(lambda self: self.world.run().has_ended)
    @rule(
        given=st.dictionaries(st.sampled_from(list(ENDS)), st.integers(0, 3)),
        money=st.none() | st.floats(0.01, 3 * DEAREST),
    )
    def a_user_resumes_the_run(self, given: dict[str, int], money: float | None) -> None:
        known = len(self.world.run().attempts)
        never = self.world.run().current.outcome is Outcome.NEVER_CREATED
        with suppress(RejectedError):
            self.world.service.resume("churn", ResumeRequested(given | ({"money_usd": money} if money else {})))
            self.resumed_at = known if never else known + 1

    @invariant()
    def no_budget_is_exceeded(self) -> None:
        run = self.world.run()
        for kind, used in asdict(run.spent).items():
            assert 0 <= used <= getattr(run.policy.budgets, kind)

    @invariant()
    def no_more_attempts_follow_a_kind_of_end_than_its_budget_allows(self) -> None:
        run = self.world.run()
        followed = Counter(attempt.outcome for attempt in run.attempts[self.resumed_at - 1 : -1])
        budgets = run.policy.budgets
        assert followed[Outcome.MAX_WAIT_TIME_EXCEEDED] <= budgets.expired_waits
        assert followed[Outcome.CAPACITY_ERROR] <= budgets.capacity_failures
        assert followed[Outcome.SERVICE_ERROR] <= budgets.service_errors
        assert followed[Outcome.USER_ERROR] <= budgets.user_errors
        idle = [a for a in run.attempts[self.resumed_at - 1 : -1] if a.has_trained and not a.has_progressed]
        assert len(idle) <= budgets.attempts_without_progress

    @invariant()
    def a_run_that_has_failed_says_what_to_do(self) -> None:
        run = self.world.run()
        if run.status is RunStatus.FAILED:
            assert any(advice in run.reason for advice in ADVICE), run.reason

    @invariant()
    def a_run_has_at_most_one_live_job(self) -> None:
        assert len(self.world.live_jobs()) <= 1


TestWhateverHappens = Story.TestCase
TestWhateverHappens.settings = examples(100, stateful_step_count=40)
