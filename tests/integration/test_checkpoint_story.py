"""A run over S3 whose container writes logs beside its checkpoints: what is kept, lost and resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from tests.integration.stack import CHECKPOINTS

if TYPE_CHECKING:
    from tests.integration.stack import Stack

HOUR = 3600
# The job trains for five hours, is interrupted for good, and gives up waiting at once.
FIVE_HOURS = {
    "train_seconds": 20 * HOUR,
    "capacity": {"interruptions": [{"after_training_seconds": 5 * HOUR, "capacity_returns_after": None}]},
}
STOPPING = {"MaxRuntimeInSeconds": 20 * HOUR, "MaxWaitTimeInSeconds": 20 * HOUR + 60}


def leave(stack: Stack, name: str) -> None:
    """Write an object under the run's prefix at the time of the story."""
    backend: Any = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    written = backend.put_object(CHECKPOINTS, f"checkpoints/churn/{name}", b"content")
    written.last_modified = stack.clock().replace(tzinfo=None)


def test_only_what_a_checkpoint_holds_is_kept_however_new_the_log_beside_it_is(stack: Stack) -> None:
    stack.aws.simulator.play(rules=[{"name": "*", **FIVE_HOURS}])
    stack.submit(StoppingCondition=STOPPING)
    stack.client("s3").create_bucket(Bucket=CHECKPOINTS)
    while (described := stack.client("sagemaker").describe_training_job(TrainingJobName="churn-relay-01"))[
        "SecondaryStatus"
    ] != "Training":
        stack.clock.passes(10)
    began = described["SecondaryStatusTransitions"][-1]["StartTime"]
    stack.clock.passes(3 * HOUR - (stack.clock() - began).total_seconds())
    leave(stack, "epoch=3.ckpt")
    for _ in range(2 * 60):
        stack.clock.passes(60)
        leave(stack, "lightning_logs/version_0/events.out.tfevents.1.algo-1")
    leave(stack, "lightning_logs/version_0/metrics.csv")
    stack.clock.passes(20 * HOUR)
    stack.observe("max-wait-expired")
    run = stack.run()
    first, second = stack.status()["attempts"]
    assert round(run.progress_seconds / HOUR, 2) == 3.0
    assert round(first["wasted_seconds"] / HOUR, 2) == 2.0
    assert second["resumes_from"]["key"] == "checkpoints/churn/epoch=3.ckpt"
    assert first["checkpoint"] == second["resumes_from"]
    assert first["ignored_objects"] == 2
