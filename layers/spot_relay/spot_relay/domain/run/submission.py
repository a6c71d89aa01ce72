"""What a user asked for, once it has been validated."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from spot_relay.domain.run.hosting import OnSuccess
from spot_relay.domain.run.news import NoticeKind
from spot_relay.domain.run.policy import Policy
from spot_relay.domain.run.start import Start
from spot_relay.domain.values import dataclass


@dataclass(frozen=True)
class Submission:
    """A valid spec, from which a run is made.

    ``training_job`` is a CreateTrainingJob request as boto3 takes it, complete except for the name, which each
    attempt sets. ``fingerprint`` depends on the name and the body but not on the format or the order of keys, so that a
    repeated delivery is recognised. ``task_token`` is a secret, and differs each time a task of Step Functions submits.
    """

    name: str
    training_job: dict[str, Any]
    policy: Policy
    fingerprint: str
    start: Start = field(default_factory=Start)
    on_success: OnSuccess = field(default_factory=OnSuccess)
    task_token: str | None = field(default=None, repr=False)
    notify: tuple[NoticeKind, ...] | None = None
    """The notices that the run sends; None for those that its stack sends by default."""
