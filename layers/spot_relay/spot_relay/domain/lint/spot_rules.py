"""Rules about spot capacity and the limits of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.domain.lint.rule import Found, Rule, Severity
from spot_relay.domain.sagemaker.built_in import MAX_WAIT_WITHOUT_CHECKPOINTS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spot_relay.domain.lint.draft import Draft, Surroundings

# A job that is not done within an hour is likely to meet an interruption.
LONG_SECONDS = 3_600
# The default of the quota "Longest run time for a training job".
USUAL_MAX_RUNTIME_SECONDS = 432_000


def _find_built_in(draft: Draft, _: Surroundings) -> Iterator[Found]:
    name = draft.built_in_without_checkpoints
    wait = draft.seconds("MaxWaitTimeInSeconds")
    seconds, key = (draft.max_runtime, "MaxRuntimeInSeconds") if wait is None else (wait, "MaxWaitTimeInSeconds")
    if name and draft.uses_spot and seconds > MAX_WAIT_WITHOUT_CHECKPOINTS_SECONDS:
        message = f"The built-in algorithm {name} writes no checkpoints, and may wait for {seconds} seconds."
        yield Found(draft.path("StoppingCondition", key), message)


def _find_no_checkpoints(draft: Draft, _: Surroundings) -> Iterator[Found]:
    starts_over = draft.policy.get("restart_from_scratch") is True
    if draft.uses_spot and draft.checkpoint_uri is None and draft.max_runtime > LONG_SECONDS and not starts_over:
        message = f"The job may train for {draft.max_runtime} seconds on spot and saves no checkpoints."
        yield Found(draft.path("CheckpointConfig"), message)


def _find_warm_pool(draft: Draft, _: Surroundings) -> Iterator[Found]:
    if draft.uses_spot and "KeepAlivePeriodInSeconds" in draft.mapping("ResourceConfig"):
        path = draft.path("ResourceConfig", "KeepAlivePeriodInSeconds")
        yield Found(path, "A warm pool is asked for, and the job may run on spot.")


def _find_preferences(draft: Draft, _: Surroundings) -> Iterator[Found]:
    if draft.uses_spot and "InstancePreferences" in draft.mapping("ResourceConfig"):
        path = draft.path("ResourceConfig", "InstancePreferences")
        yield Found(path, "The job names several instance types, and may run on spot.")


def _find_long_runtime(draft: Draft, _: Surroundings) -> Iterator[Found]:
    if draft.max_runtime > USUAL_MAX_RUNTIME_SECONDS:
        message = f"MaxRuntimeInSeconds is {draft.max_runtime}, and most accounts allow {USUAL_MAX_RUNTIME_SECONDS}."
        yield Found(draft.path("StoppingCondition", "MaxRuntimeInSeconds"), message)


def _find_pending_time(draft: Draft, _: Surroundings) -> Iterator[Found]:
    seconds = draft.seconds("MaxPendingTimeInSeconds")
    if seconds is not None and draft.may_use_on_demand:
        message = f"An on-demand attempt that has no capacity after {seconds} seconds ends."
        yield Found(draft.path("StoppingCondition", "MaxPendingTimeInSeconds"), message)


SPOT_RULES = (
    Rule(
        "built-in-without-checkpoints",
        Severity.ERROR,
        "SageMaker lets a spot job of a built-in algorithm that writes no checkpoints wait for an hour at most, and "
        "refuses a longer MaxWaitTimeInSeconds.",
        f"Set MaxWaitTimeInSeconds to {MAX_WAIT_WITHOUT_CHECKPOINTS_SECONDS} or less, or use an algorithm that writes "
        "checkpoints.",
        _find_built_in,
        "The algorithms are recognized by the option `algorithm` and by their images: blazingtext, "
        "factorization-machines, forecasting-deepar, ipinsights, linear-learner, object2vec and randomcutforest, in a "
        "registry other than your own account's.",
    ),
    Rule(
        "spot-without-checkpoints",
        Severity.ERROR,
        "Each interruption and each new attempt starts the training again from zero, so a long run may never finish.",
        "Save checkpoints to /opt/ml/checkpoints and add CheckpointConfig. If training again from zero is what you "
        "want, set policy.restart_from_scratch to true.",
        _find_no_checkpoints,
        f"A run is long if its MaxRuntimeInSeconds is more than {LONG_SECONDS}, or not given.",
    ),
    Rule(
        "warm-pool-with-spot",
        Severity.ERROR,
        "SageMaker keeps no warm pool for managed spot, and refuses the two together.",
        "Remove KeepAlivePeriodInSeconds.",
        _find_warm_pool,
    ),
    Rule(
        "instance-preferences-with-spot",
        Severity.ERROR,
        "SageMaker does not support InstancePreferences with managed spot.",
        "Replace InstancePreferences with InstanceType and InstanceCount, and name the other instance types in "
        "policy.ladder.",
        _find_preferences,
    ),
    Rule(
        "max-runtime-above-limit",
        Severity.WARNING,
        "The quota for the longest run time of a training job is 432,000 seconds (5 days) unless it was raised, and "
        "SageMaker refuses a job that asks for more.",
        "Lower MaxRuntimeInSeconds and set policy.relaunch_on_max_runtime to true, or ask AWS to raise the quota.",
        _find_long_runtime,
    ),
    Rule(
        "pending-time-ends-attempts",
        Severity.WARNING,
        "MaxPendingTimeInSeconds ends an attempt that only has to wait, and the next one starts to wait again.",
        "Remove MaxPendingTimeInSeconds: the policy decides how long an attempt waits, and where it goes next.",
        _find_pending_time,
        "It concerns on-demand attempts, including those that a deadline requires. Spot attempts leave it out.",
    ),
)
