"""What a run waits for before its first launch: a time, other runs, and its turn among those of its template."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from spot_relay.domain.values import dataclass

# A later start is most likely a mistake, and the end of the calendar would be in reach.
LONGEST_AHEAD = timedelta(days=366)


class OnFailure(StrEnum):
    """What a run does when one that it comes after fails or is stopped."""

    FAIL = "fail"
    WAIT = "wait"
    """Until that run is resumed and completes."""


@dataclass(frozen=True)
class Start:
    """What a run waits for before its first launch. By default it waits for nothing."""

    at: datetime | None = None
    """Not before then; aware."""
    after: tuple[str, ...] = ()
    """The names of the runs that have to complete first."""
    on_failure: OnFailure = OnFailure.FAIL
    known_within_seconds: int | None = None
    """For how long, from the submission, a run of ``after`` may be unknown. None if all of them have to exist then."""
    continue_from: str | None = None
    """The one of ``after`` whose model the training starts from, or whose checkpoints."""
    channel: str = "model"
    """The input channel that gets that model."""
    checkpoint: bool = False
    """Whether the training starts from a copy of its checkpoints, instead of its model."""
    template: str | None = None
    """The key of the template that the run was made from."""
    at_most: int | None = None
    """How many runs of the template may be under way at once; None if there is no limit."""

    def __bool__(self) -> bool:
        """Whether there is anything to wait for."""
        return self.at is not None or bool(self.after) or self.at_most is not None

    def earliest(self, now: datetime) -> datetime:
        """Return when a run submitted now may begin by its time, at most `LONGEST_AHEAD`."""
        return now if self.at is None else min(max(now, self.at), now + LONGEST_AHEAD)

    def known_by(self, submitted_at: datetime) -> datetime:
        """Return when the runs of ``after`` have to be known at the latest, if the run was submitted at that time."""
        return submitted_at + timedelta(seconds=self.known_within_seconds or 0)
