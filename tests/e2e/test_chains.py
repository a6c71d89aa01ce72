"""Runs that come after others, on the deployed template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spot_relay_client.errors import InvalidSpecError
from tests.e2e.relay import spec

if TYPE_CHECKING:
    from tests.e2e.relay import Relay


def test_a_run_begins_with_the_model_of_the_one_before_it_when_that_has_completed(relay: Relay) -> None:
    relay.rule("base", capacity={"after": 0}, train_seconds=3)
    relay.rule("tuned", capacity={"after": 0}, train_seconds=0.5)
    relay.upload("runs/base.json", spec("base"))
    relay.comes_to("base", "Pending", "InProgress")
    waiting = relay.api.submit(spec("tuned") | {"continue_from": "base"})
    assert (waiting["status"], waiting["start"]["waits"]) == ("Pending", True)
    assert relay.jobs("tuned") == []
    tuned, base = relay.ends("tuned"), relay.ends("base")
    assert (base["status"], tuned["status"]) == ("Completed", "Completed")
    described = relay.stack.client("sagemaker").describe_training_job(TrainingJobName="tuned-relay-01")
    [channel] = [one for one in described["InputDataConfig"] if one["ChannelName"] == "model"]
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == base["model_artifacts"]
    # By the message of the one before, and not by the tick.
    assert any(decision["observation"] == "PredecessorEnded" for decision in tuned["decisions"])


def test_many_runs_that_come_after_one_that_is_stopped_are_told_and_fail(relay: Relay) -> None:
    relay.rule("doomed", capacity={"after": 0}, train_seconds=600)
    relay.api.submit(spec("doomed"))
    names = [f"follower-{number}" for number in range(12)]
    for name in names:
        relay.api.submit(spec(name) | {"after": {"runs": ["doomed"]}})
    relay.api.stop("doomed")
    assert relay.ends("doomed")["status"] == "Stopped"
    for name in names:
        ended = relay.ends(name)
        assert ended["status"] == "Failed"
        assert "comes after doomed" in ended["reason"]
        assert relay.jobs(name) == []


def test_a_run_after_one_that_nobody_knows_is_refused(relay: Relay) -> None:
    with pytest.raises(InvalidSpecError, match="There is no run nobody") as raised:
        relay.api.submit(spec("lonely") | {"after": ["nobody"]})
    assert [detail["path"] for detail in raised.value.details] == ["after"]
