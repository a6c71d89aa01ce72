"""Runs that come after others, on the deployed template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spot_relay.adapters.checkpoint_copies import PART_BYTES
from spot_relay_client.errors import InvalidSpecError
from tests.e2e.relay import CHECKPOINTS, spec

if TYPE_CHECKING:
    from tests.e2e.relay import Relay


def test_a_run_begins_with_the_model_of_the_one_before_it_when_that_has_completed(relay: Relay) -> None:
    for name in ("base", "tuned"):
        relay.rule(name, capacity={"after": 0}, train_seconds=0.5)
    # Submitted before the one that it comes after, which cannot have ended by then.
    chained = {"after": {"runs": ["base"], "known_within": "PT1H"}, "continue_from": "base"}
    waiting = relay.api.submit(spec("tuned") | chained)
    assert (waiting["status"], waiting["start"]["waits"]) == ("Pending", True)
    relay.upload("runs/base.json", spec("base"))
    base, tuned = relay.ends("base"), relay.ends("tuned")
    assert (base["status"], tuned["status"]) == ("Completed", "Completed")
    described = relay.stack.client("sagemaker").describe_training_job(TrainingJobName="tuned-relay-01")
    [channel] = [one for one in described["InputDataConfig"] if one["ChannelName"] == "model"]
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == base["model_artifacts"]


def test_a_run_begins_with_a_copy_of_the_checkpoints_of_the_one_before_it(relay: Relay) -> None:
    for name in ("seed", "grown"):
        relay.rule(name, capacity={"after": 0}, train_seconds=0.5)
    large = b"weights!" * (PART_BYTES // 8) + b"the rest"
    for key, body in (("model-1.pt", large), ("model-1.pt.sagemaker-uploaded", b""), ("config.json", b"{}")):
        relay.s3.put_object(Bucket=CHECKPOINTS, Key=f"seed/checkpoints/{key}", Body=body)
    relay.api.submit(spec("seed"))
    assert relay.ends("seed")["status"] == "Completed"
    relay.api.submit(spec("grown") | {"continue_from": {"run": "seed", "checkpoint": True}})
    grown = relay.ends("grown")
    assert grown["status"] == "Completed"
    assert grown["attempts"][0]["resumes_from"]["key"].startswith("grown/checkpoints/")
    copied = relay.s3.get_object(Bucket=CHECKPOINTS, Key="grown/checkpoints/model-1.pt")["Body"].read()
    assert copied == large
    told = [decision["observation"] for decision in grown["decisions"]]
    assert "CheckpointsCopied" in told


def test_many_runs_that_come_after_one_that_is_stopped_are_told_and_fail(relay: Relay) -> None:
    for name in ("lasting", "doomed"):
        relay.rule(name, capacity={"after": 0}, train_seconds=600)
        relay.api.submit(spec(name))
    names = [f"follower-{number}" for number in range(12)]
    for name in names:
        # The one that fails is not the first of their list.
        relay.api.submit(spec(name) | {"after": {"runs": ["lasting", "doomed"]}})
    relay.api.stop("doomed")
    assert relay.ends("doomed")["status"] == "Stopped"
    documents = [relay.ends(name) for name in names]
    for ended in documents:
        assert ended["status"] == "Failed"
        assert "comes after doomed" in ended["reason"]
        assert relay.jobs(ended["run_id"]) == []
    # The tick looks at some of them, too, and may be sooner; without the messages it would have to do so for all.
    told = [decision["observation"] for ended in documents for decision in ended["decisions"]]
    assert "PredecessorEnded" in told
    relay.api.stop("lasting")


def test_a_run_after_one_that_nobody_knows_is_refused(relay: Relay) -> None:
    with pytest.raises(InvalidSpecError, match="There is no run nobody") as raised:
        relay.api.submit(spec("lonely") | {"after": ["nobody"]})
    assert [detail["path"] for detail in raised.value.details] == ["after"]
