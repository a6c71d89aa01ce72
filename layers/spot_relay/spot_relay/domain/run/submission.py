"""What a user asked for, once it has been validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spot_relay.domain.run.policy import Policy


@dataclass(frozen=True)
class Submission:
    """A valid spec: a run to be.

    ``training_job`` is a CreateTrainingJob request as boto3 takes it, complete but for the name, which each
    attempt sets. ``fingerprint`` is the same for the same name and body, whatever the format or the order of
    keys, so that a second delivery is known for what it is.
    """

    name: str
    training_job: dict[str, Any]
    policy: Policy
    fingerprint: str
