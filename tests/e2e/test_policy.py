"""The relaunch policy on the deployed template: ladders, quotas, deadlines and money."""

from __future__ import annotations

from typing import Any

import pytest

from spot_relay_client.errors import InvalidSpecError
from tests.e2e.relay import NEVER, Relay, eventually, spec, with_deadline

HOLDER, LATER = "ml.c5.xlarge", "ml.c5.2xlarge"


def test_expired_waits_move_a_run_to_the_next_instance_type_and_then_on_demand(relay: Relay) -> None:
    relay.rule("climber", market="spot", **NEVER)
    relay.rule("climber", market="on-demand", train_seconds=0.5)
    ladder = [
        {"instance_type": "ml.m5.xlarge"},
        {"instance_type": "ml.c5.xlarge"},
        {"instance_type": "ml.m5.xlarge", "market": "on-demand"},
    ]
    relay.upload("runs/climber.json", spec("climber", max_wait=3) | {"policy": {"ladder": ladder}})
    document = relay.ends("climber")
    assert document["status"] == "Completed"
    tried = [(a["placement"]["instance_type"], a["placement"]["market"], a["outcome"]) for a in document["attempts"]]
    assert tried == [
        ("ml.m5.xlarge", "spot", "MaxWaitTimeExceeded"),
        ("ml.c5.xlarge", "spot", "MaxWaitTimeExceeded"),
        ("ml.m5.xlarge", "on-demand", "Completed"),
    ]
    last = relay.stack.client("sagemaker").describe_training_job(TrainingJobName="climber-relay-03")
    assert not last.get("EnableManagedSpotTraining")
    assert "MaxWaitTimeInSeconds" not in last["StoppingCondition"]
    assert relay.most_live_at_once("climber-relay-*") == 1


def test_a_run_waits_for_a_full_quota_and_is_woken_when_its_holder_ends(relay: Relay) -> None:
    quotas = {"rules": [], "quotas": [{"instance_type": HOLDER, "market": "spot", "limit": 1}]}
    relay.simulate(quotas)
    made = {name: spec(name) for name in ("holder", "waiter")}
    for name, one in made.items():
        one["training_job"]["ResourceConfig"]["InstanceType"] = HOLDER
        relay.rule(name, capacity={"after": 0}, train_seconds=600 if name == "holder" else 0.5)
    relay.api.submit(made["holder"])
    relay.comes_to("holder", "InProgress")
    waiter = relay.api.submit(made["waiter"])
    assert waiter["status"] == "Pending"
    assert "has no room" in waiter["reason"]
    relay.api.stop("holder")
    document = relay.ends("waiter")
    assert document["status"] == "Completed"
    assert [attempt["job_name"] for attempt in document["attempts"]] == ["waiter-relay-01"]
    # By the message of the one that ended, and not by the tick: that finds a run as due.
    assert any(decision["observation"] == "RoomFreed" for decision in document["decisions"])


def test_a_placement_that_no_quota_can_hold_fails_the_run_with_the_quota_to_raise(relay: Relay) -> None:
    quotas = {"rules": [], "quotas": [{"instance_type": LATER, "market": "spot", "limit": 0}]}
    relay.simulate(quotas)
    made = spec("hopeless")
    made["training_job"]["ResourceConfig"]["InstanceType"] = LATER
    relay.upload("runs/hopeless.json", made)
    document = relay.ends("hopeless")
    assert document["status"] == "Failed"
    assert f"{LATER} for spot training job usage" in document["reason"]


def test_what_a_run_cost_and_what_it_would_have_cost_is_told(relay: Relay) -> None:
    relay.rule("priced", capacity={"after": 0}, train_seconds=4, billable_share=0.25)
    relay.upload("runs/priced.json", spec("priced"))
    document = relay.ends("priced")
    # 3600 USD an hour are a dollar a second.
    assert document["cost_usd"] == pytest.approx(document["billable_seconds"])
    assert document["on_demand_cost_usd"] == pytest.approx(document["training_seconds"])
    assert document["cost_usd"] < document["on_demand_cost_usd"]


def test_a_money_budget_that_one_attempt_could_pass_is_refused_with_what_it_may_cost(relay: Relay) -> None:
    with pytest.raises(InvalidSpecError) as refused:
        relay.api.submit(spec("poor") | {"policy": {"budgets": {"money_usd": 10}}})
    (problem,) = refused.value.details
    assert problem["path"] == "policy.budgets.money_usd"
    assert "60" in problem["message"]


def test_a_deadline_that_cannot_be_met_is_refused_with_the_earliest_that_can(relay: Relay) -> None:
    policy = with_deadline("2020-01-01T00:00:00Z", "PT1M")
    relay.upload("runs/late.json", spec("late") | {"policy": policy})
    report = eventually("the error report", lambda: relay.read("errors/runs/late.json.json"))
    (problem,) = report["errors"]
    assert problem["path"] == "policy.deadline"
    assert "cannot be met" in problem["message"]


def test_a_failed_run_goes_on_with_a_higher_budget_when_it_is_resumed_with_one(relay: Relay) -> None:
    relay.rule("raised", **NEVER)
    relay.upload("runs/raised.json", spec("raised", max_wait=2) | {"policy": {"budgets": {"expired_waits": 0}}})
    document = relay.ends("raised")
    assert "expired_waits" in document["reason"]
    relay.rule("raised", capacity={"after": 0}, train_seconds=0.2)
    relay.api.resume("raised", {"budgets": {"expired_waits": 3}})
    document = relay.comes_to("raised", "Completed")
    assert document["budgets"]["expired_waits"] == 3


@pytest.mark.begun
def test_a_near_deadline_switches_a_waiting_run_to_on_demand_as_planned(relay: Relay) -> None:
    document = relay.ends("near", seconds=170)
    assert document["status"] == "Completed"
    assert [(a["placement"]["market"], a["outcome"]) for a in document["attempts"]] == [
        ("spot", "Stopped"),
        ("on-demand", "Completed"),
    ]
    assert document["attempts"][1]["cause"] == "SafetyNet"
    assert relay.most_live_at_once("near-relay-*") == 1


@pytest.mark.begun
def test_a_run_ahead_of_its_pace_returns_to_spot_once_its_canary_finds_capacity(relay: Relay) -> None:
    document = relay.ends("ahead", seconds=170)
    assert document["status"] == "Completed"
    assert [(a["placement"]["market"], a["outcome"]) for a in document["attempts"]] == [
        ("on-demand", "Stopped"),
        ("spot", "Completed"),
    ]
    assert document["attempts"][1]["resumes_from"]["key"].startswith("ahead/checkpoints/")
    assert relay.most_live_at_once("ahead-relay-*") == 1
    ended = eventually("the canary's end", lambda: [e for e in canary_log(relay) if not e["live"]] or None)
    assert ended[0]["secondary_status"] == "Stopped"


def canary_log(relay: Relay) -> list[dict[str, Any]]:
    return relay.log(job="ahead-canary-*", kind="transition")
