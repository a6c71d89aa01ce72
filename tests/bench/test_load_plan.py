"""The load: how events are shared among runs, and that the simulator has each job go through what is said."""

from __future__ import annotations

import json

import pytest

from bench.load import plan
from bench.load.plan import STATES, Load, LoadError, build_scenario, build_spec, plan_load
from simulator import life
from simulator.life.job import Terms, Transitioned
from simulator.world.scenario import parse_scenario
from spot_relay.spec import Allowlist, Format, read_submission

ALLOWLIST = Allowlist(
    allowed_role_arns=("arn:aws:iam::000000000000:role/spot-relay-training",),
    allowed_images=("*.dkr.ecr.*.amazonaws.com/*",),
    allowed_checkpoint_buckets=("sagemaker-*",),
)


def states(name: str, attempts: int) -> list[str]:
    """List what a job goes through by itself, in a year."""
    rule = parse_scenario(build_scenario(attempts)).rule_for(name)
    stopping = build_spec("load", attempts)["training_job"]["StoppingCondition"]
    terms = Terms(stopping["MaxRuntimeInSeconds"], stopping["MaxWaitTimeInSeconds"], spot=True)
    job, first = life.begin(name, terms, rule.script(frozenset()), 0.0)
    _, rest = life.advance(job, 365 * 86_400.0)
    changes = (first, *(happening for happening in rest if isinstance(happening, Transitioned)))
    return [change.job.secondary.value for change in changes]


def test_events_are_divided_among_runs_in_whole_attempts() -> None:
    assert plan_load(1000, 20_000) == Load(1000, 2)
    assert plan_load(1000, 20_000).events == 20_000
    assert plan_load(7, 7 * 30).attempts == 3


@pytest.mark.parametrize(("runs", "events", "instead"), [(1000, 5000, 10_000), (20, 450, 400), (1, 5000, 500)])
def test_for_a_share_that_is_not_a_number_of_attempts_a_valid_number_is_suggested(
    runs: int, events: int, instead: int
) -> None:
    with pytest.raises(LoadError, match=rf"Use EVENTS={instead}\."):
        plan_load(runs, events)
    assert plan_load(runs, instead).events == instead


def test_max_wait_expires_after_an_interruption_in_every_attempt_except_the_last() -> None:
    assert states("load-00001-relay-01", 3) == list(STATES)
    assert states("load-00001-relay-02", 3) == list(STATES)


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_the_last_attempt_completes(attempts: int) -> None:
    assert states(f"load-00001-relay-{attempts:02d}", attempts) == [*STATES[:-2], "Uploading", "Completed"]


@pytest.mark.parametrize("attempts", [1, 2, plan.MAX_ATTEMPTS])
def test_the_spec_is_valid_and_has_budgets_for_all_its_attempts(attempts: int) -> None:
    submission = read_submission(json.dumps(build_spec("load-00001", attempts)).encode(), Format.JSON, ALLOWLIST)
    assert submission.name == "load-00001"
    assert submission.policy.budgets.expired_waits >= attempts - 1
    assert submission.policy.budgets.attempts_without_progress >= attempts - 1


def test_runs_have_names_and_checkpoints_of_their_own() -> None:
    names = plan.name_runs("load", 1200)
    assert len(set(names)) == 1200
    assert names[0] == "load-00000"
    for name in names[:3]:
        uri = build_spec(name, 1)["training_job"]["CheckpointConfig"]["S3Uri"]
        assert f"s3://{plan.BUCKET}/{plan.build_checkpoint_key(name)}".startswith(uri)
