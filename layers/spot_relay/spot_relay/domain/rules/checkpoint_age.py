"""Whether a job that trains has gone too long without a new checkpoint."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.sagemaker.job import SecondaryStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from spot_relay.domain.sagemaker.job import Checkpoint, Transition

# Longer than any interval between two saves in docs/checkpoints.md, which are the best for what a save costs.
CHECKPOINT_PATIENCE = timedelta(hours=3)


def is_checkpoint_overdue(transitions: Sequence[Transition], newest: Checkpoint | None, now: datetime) -> bool:
    """Whether a job with these transitions trains, and has for too long without a checkpoint newer than this one."""
    newest_transition = transitions[-1] if transitions else None
    if newest_transition is None or newest_transition.status != SecondaryStatus.TRAINING:
        return False
    began = newest_transition.started_at
    unsaved_since = max(began, newest.last_modified) if newest else began
    return newest_transition.ended_at is None and now - unsaved_since >= CHECKPOINT_PATIENCE
