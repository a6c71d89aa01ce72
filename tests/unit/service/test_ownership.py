"""A training job is a run's own only if its tags say so; and what can't be published keeps no run from going on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.markets import demand_before_launch
from spot_relay.domain.run.attempt import AttemptStatus, CanaryStatus
from spot_relay.domain.run.launch import launch_of_attempt, launch_of_canary
from spot_relay.domain.run.policy import Rung
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.shown.accounting import account_of
from spot_relay.service import NotPublishedError
from tests.fakes import NOON, MemoryDocuments
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

THROTTLED = (Refusal.THROTTLED, "Rate exceeded")
FULL = (Refusal.QUOTA_FULL, "Full.")
HOUR = 3600
SPOT = Placement("ml.m5.xlarge", 1, Market.SPOT)
ON_DEMAND = Placement("ml.m5.xlarge", 1, Market.ON_DEMAND)


@pytest.fixture
def world() -> World:
    return World()


def somebody_elses_job(world: World) -> None:
    """Return the name of the first attempt to a job of another stack."""
    other = accept(submission(), "another stack's", world.clock())
    refusals, world.jobs.refusals = world.jobs.refusals, []
    world.jobs.create(launch_of_attempt(other, other.current))
    world.jobs.refusals = refusals


def test_a_job_that_took_the_name_is_never_stopped_by_the_run_that_wanted_it(world: World) -> None:
    somebody_elses_job(world)
    assert world.service.submit(submission()).status is RunStatus.FAILED
    world.clock.passes(5)
    world.advance(world.event(1, "InProgress", "Training"))
    assert world.jobs.stopped == []
    assert world.live_jobs() == ["churn-relay-01"]


@pytest.mark.parametrize("status", ["InProgress", "Completed"])
def test_somebody_elses_job_is_not_taken_for_a_launch_that_was_put_off(world: World, status: str) -> None:
    world.jobs.refusals = [THROTTLED]
    world.service.submit(submission())
    somebody_elses_job(world)
    world.clock.passes(5)
    run = world.tell(1, status, "Training" if status == "InProgress" else "Completed")
    assert run.status is RunStatus.PENDING
    world.clock.passes(60)
    world.tick()
    run = world.run()
    assert run.status is RunStatus.FAILED
    assert run.current.outcome is Outcome.NEVER_CREATED


def test_a_stop_while_the_launch_is_put_off_spares_somebody_elses_job(world: World) -> None:
    world.jobs.refusals = [THROTTLED]
    world.service.submit(submission())
    world.service.stop("churn")
    somebody_elses_job(world)
    assert world.advance(world.event(1, "InProgress", "Starting")).status is RunStatus.STOPPING
    world.clock.passes(300)
    world.tick()
    assert world.run().status is RunStatus.STOPPED
    assert world.jobs.stopped == []


def late_launch(world: World, run: Run) -> None:
    """Let a launch succeed of which the run has not heard."""
    world.jobs.create(launch_of_attempt(run, run.current))


def test_a_launch_of_which_the_answer_was_lost_is_found_by_its_event(world: World) -> None:
    world.jobs.refusals = [(Refusal.UNAVAILABLE, "SageMaker did not answer.")]
    late_launch(world, world.service.submit(submission()))
    world.clock.passes(5)
    run = world.advance(world.event(1, "InProgress", "Starting"))
    assert run.status is RunStatus.IN_PROGRESS
    assert run.check_at is not None
    assert (run.check_at - world.clock()).total_seconds() == 300
    assert len(world.jobs.requests) == 1
    assert world.telemetry.total("AttemptsLaunched") == 1


def test_a_launch_of_which_the_answer_was_lost_is_found_before_a_refusal_is_believed(world: World) -> None:
    world.jobs.refusals = [(Refusal.UNAVAILABLE, "SageMaker did not answer."), (Refusal.INVALID, "no such role")]
    late = world.service.submit(submission())
    world.jobs.refusals, refusals = [], world.jobs.refusals
    late_launch(world, late)
    world.jobs.refusals = refusals
    world.clock.passes(60)
    world.tick()
    assert world.run().status is RunStatus.IN_PROGRESS
    assert len(world.jobs.requests) == 1


def test_a_late_launch_is_stopped_at_once_when_a_stop_was_requested(world: World) -> None:
    world.jobs.refusals = [(Refusal.UNAVAILABLE, "SageMaker did not answer.")]
    late = world.service.submit(submission())
    world.service.stop("churn")
    late_launch(world, late)
    world.clock.passes(5)
    run = world.advance(world.event(1, "InProgress", "Starting"))
    assert world.jobs.stopped == ["churn-relay-01"]
    assert run.check_at is not None
    assert (run.check_at - world.clock()).total_seconds() == 30
    assert world.telemetry.total("AttemptsLaunched") == 1
    assert world.tell(1, "Stopped", "Stopped").status is RunStatus.STOPPED


@dataclass
class BrokenDocuments(MemoryDocuments):
    """A bucket that takes no status document for a while."""

    broken: bool = False

    def write(self, run_id: str, document: dict[str, Any]) -> None:
        if self.broken:
            raise OSError("the bucket is gone")
        super().write(run_id, document)


@pytest.fixture
def shut() -> World:
    """A world with a live run, in which no status document can be written any more."""
    documents = BrokenDocuments()
    world = World(documents=documents)
    world.service.submit(submission())
    world.trains(1)
    documents.broken = True
    return world


def test_a_run_that_cannot_be_published_is_relaunched_all_the_same(shut: World) -> None:
    shut.checkpoint("a")
    shut.jobs.becomes("churn-relay-01", "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    with pytest.raises(NotPublishedError, match="churn"):
        shut.advance(shut.event(1, "Stopped", "MaxWaitTimeExceeded"))
    assert shut.run().current.job_name == "churn-relay-02"
    assert shut.live_jobs() == ["churn-relay-02"]


def test_a_run_that_cannot_be_published_is_stopped_all_the_same(shut: World) -> None:
    with pytest.raises(NotPublishedError):
        shut.service.stop("churn")
    assert shut.jobs.stopped == ["churn-relay-01"]
    shut.jobs.becomes("churn-relay-01", "Stopped", "Stopped")
    with pytest.raises(NotPublishedError):
        shut.advance(shut.event(1, "Stopped", "Stopped"))
    assert shut.run().status is RunStatus.STOPPED


def test_what_could_not_be_published_is_published_by_the_tick_when_it_can_be(shut: World) -> None:
    with pytest.raises(NotPublishedError):
        shut.service.stop("churn")
    shut.jobs.becomes("churn-relay-01", "Stopped", "Stopped")
    with pytest.raises(NotPublishedError):
        shut.advance(shut.event(1, "Stopped", "Stopped"))
    assert isinstance(shut.documents, BrokenDocuments)
    shut.documents.broken = False
    shut.clock.passes(90)
    shut.tick()
    assert shut.documents.written["churn"]["status"] == "Stopped"
    assert [detail["status"] for detail in shut.announcements.details] == [
        *("Pending", "InProgress", "Stopping", "Stopped"),
    ]
    assert not shut.run().outbox
    assert shut.telemetry.total("RunsStopped") == 1


def test_an_attempt_whose_billable_seconds_are_unknown_is_left_out_of_the_savings() -> None:
    run = accept(submission(), "one", NOON)
    unknown = run.with_attempt(replace(run.current, training_seconds=80))
    assert account_of(unknown, NOON).savings_percent is None
    assert account_of(unknown, NOON).training_seconds == 80


def test_the_time_a_user_took_to_resume_a_run_is_no_metric(world: World) -> None:
    world.service.submit(submission())
    world.tell(1, "Stopped", "Stopped")
    world.clock.passes(86_400)
    world.service.resume("churn")
    assert world.telemetry.total("RelaunchesAfterResumed") == 1
    assert world.telemetry.total("EventToRelaunchSeconds") == 0


def test_the_summary_of_a_run_fits_on_one_line_without_quotes(world: World) -> None:
    world.service.submit(submission())
    world.tell(1, "Failed", "Failed", failure_reason='AlgorithmError: "boom"\n  at line 3')
    summary = world.announcements.details[-1]["summary"]
    assert "'boom' at line 3" in summary
    assert '"' not in summary


def test_a_secret_is_hidden_where_the_sdk_wrote_it_as_json(world: World) -> None:
    world.service.submit(submission(HyperParameters={"api_key": '"very-secret"'}))
    run = world.tell(1, "Failed", "Failed", failure_reason="AlgorithmError: --api_key very-secret")
    assert "very-secret" not in run.reason


def about_to_go_on_demand() -> World:
    """A run that has waited for room on spot until its deadline; unheard, another function has launched it there."""
    world = World()
    world.jobs.refusals = [FULL] * 1000
    world.service.submit(submission(deadline(4 * HOUR, ladder=(Rung(SPOT), Rung(ON_DEMAND)))))
    while demand_before_launch(world.run(), world.clock() + timedelta(seconds=60)) is None:
        world.passes(60)
    assert world.run().waits_for is not None
    world.jobs.refusals = []
    world.jobs.create(launch_of_attempt(world.run(), world.run().current))
    return world


def test_a_job_that_exists_runs_where_it_was_created_wherever_its_attempt_was_sent_since() -> None:
    world = about_to_go_on_demand()
    world.clock.passes(60)
    world.tick()
    run = world.run()
    assert (run.current.status, run.current.placement, run.current.rung) == (AttemptStatus.IN_PROGRESS, SPOT, 0)
    assert world.jobs.stopped == []
    world.passes(HOUR)
    assert world.jobs.stopped == ["churn-relay-01"], "its deadline still wants it on demand"
    run = world.tell(1, "Stopped", "Stopped")
    assert (run.current.number, run.current.placement.market) == (2, Market.ON_DEMAND)


@pytest.mark.parametrize(
    ("status", "secondary", "ends"), [("InProgress", "Training", False), ("Completed", "Completed", True)]
)
def test_where_a_job_runs_is_read_from_its_description_too(status: str, secondary: str, ends: bool) -> None:
    world = about_to_go_on_demand()
    world.jobs.refusals = [THROTTLED]
    world.clock.passes(60)
    world.tick()
    sent = world.run().current
    assert (sent.status, sent.placement, sent.rung) == (AttemptStatus.PLANNED, ON_DEMAND, 1)
    run = world.tell(1, status, secondary, training_started_at=world.clock())
    assert (run.attempts[0].placement, run.attempts[0].rung) == (SPOT, 0)
    assert run.has_ended == ends


@pytest.fixture
def without_canary() -> World:
    """A run whose canary could not be created so far, while somebody else has a job of its name."""
    world = World()
    way = {"expected_runtime_seconds": 20 * HOUR, "ladder": (Rung(ON_DEMAND), Rung(SPOT))}
    world.service.submit(submission(deadline(40 * HOUR, **way)))
    world.trains(1, 0)
    world.jobs.refusals = [THROTTLED] * 100
    world.passes(60)
    world.checkpoint("a")
    run = world.passes(600)
    assert run.canary is not None
    assert run.canary.status is CanaryStatus.PLANNED
    world.jobs.refusals = []
    world.jobs.create(launch_of_canary(replace(run, submission_id="another stack's"), run.canary))
    world.jobs.refusals = [THROTTLED] * 100
    return world


@pytest.mark.parametrize("told", [False, True])
def test_somebody_elses_job_with_the_name_of_a_canary_is_not_stopped(without_canary: World, told: bool) -> None:
    world = without_canary
    assert world.tell(1, "Completed", "Completed").status is RunStatus.COMPLETED
    if told:
        world.canary_tells(1, "InProgress", "Training")
    assert world.jobs.stopped == []
    assert world.live_jobs() == ["churn-canary-01"]


def test_what_somebody_elses_job_with_the_name_of_a_canary_costs_is_not_the_runs(without_canary: World) -> None:
    world = without_canary
    known = world.run().canary
    world.canary_tells(1, "Stopped", "Stopped", billable_seconds=77)
    assert world.run().canary == known
