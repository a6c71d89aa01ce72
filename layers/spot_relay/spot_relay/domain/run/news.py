"""What others are told about a run: each change of its status, of its attempts and of what becomes of its model.

Notices are for people, and their run says which of them it sends; all other news is for programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from spot_relay.domain.sagemaker.job import Placement
from spot_relay.domain.text import CUT, shorten
from spot_relay.domain.values import No, dataclass

# The most news that a run owes at once, which is more than one decision makes. Only if the event bus has refused
# everything for a long time are there more; the oldest is dropped then.
MOST_NEWS = 40


class NewsKind(StrEnum):
    """What news is about."""

    RUN = "run"
    ATTEMPT = "attempt"
    HOSTING = "hosting"
    NOTICE = "notice"


class AttemptState(StrEnum):
    """How far an attempt is, as far as others want to know."""

    PLANNED = "Planned"
    QUEUED = "Queued"
    """It waits for room in its pool."""
    LAUNCHED = "Launched"
    """Its job exists, and waits for capacity or prepares."""
    TRAINING = "Training"
    INTERRUPTED = "Interrupted"
    ENDING = "Ending"
    """Its job uploads or stops."""
    ENDED = "Ended"


class NoticeKind(StrEnum):
    """The kinds of notices, by their names in a spec."""

    SUBMITTED = "submitted"
    FIRST_INTERRUPTION = "first_interruption"
    RELAUNCHED = "relaunched"
    MOVED_TO_ON_DEMAND = "moved_to_on_demand"
    BACK_ON_SPOT = "back_on_spot"
    DEADLINE_AT_RISK = "deadline_at_risk"
    CHECKPOINT_OVERDUE = "checkpoint_overdue"
    BUDGET_NEARLY_SPENT = "budget_nearly_spent"
    WAITING_FOR_QUOTA = "waiting_for_quota"
    ENDED = "ended"
    HOSTING_ENDED = "hosting_ended"


# What Spot Relay handles by itself is not among them: a run on spot may be interrupted and relaunched all day.
DEFAULT_NOTICES = (
    NoticeKind.DEADLINE_AT_RISK,
    NoticeKind.CHECKPOINT_OVERDUE,
    NoticeKind.BUDGET_NEARLY_SPENT,
    NoticeKind.WAITING_FOR_QUOTA,
    NoticeKind.ENDED,
    NoticeKind.HOSTING_ENDED,
)

# What stands for every kind, and for none.
ALL, NONE = "all", "none"
# In bytes. A longer name is none, and its beginning is enough to find it.
_LONGEST_SHOWN = 60


def list_kinds(names: Sequence[str]) -> tuple[NoticeKind, ...] | No:
    """Return the kinds of notices that these names stand for, each once, or why they stand for none.

    The only name may be `ALL` or `NONE`.
    """
    known = {str(kind): kind for kind in NoticeKind}
    if list(names) == [ALL]:
        return tuple(NoticeKind)
    if list(names) == [NONE]:
        return ()
    for name in names:
        if name in {ALL, NONE}:
            return No(f"Found {name} among other kinds. Write {name} alone, or remove it.")
        if name not in known:
            found = shorten(name, _LONGEST_SHOWN)
            return No(f'Found "{found}", which is no kind of notice. Use {ALL}, {NONE}, or some of {", ".join(known)}.')
    return tuple(known[name] for name in dict.fromkeys(names))


@dataclass(frozen=True)
class News:
    """Something about a run that others are told once: by as many events as it takes, all with the same id."""

    number: int
    """From 1, in the order in which a run has news. It makes the id, so no other news of the run has it."""
    kind: NewsKind
    state: str
    """What has come: a RunStatus, an AttemptState, the status of a hosting, or a NoticeKind."""
    at: datetime
    before: str | None = None
    """The state that it follows; None at the beginning, and for what has no states."""
    attempt: int = 0
    """The attempt that it is about, or the newest one."""
    reason: str = ""
    """Why: the beginning of the run's reason at that time, or nothing if there was no room for it."""
    placement: Placement | None = None
    """Of news of an attempt, where it was by then."""
    cause: str | None = None
    """Of news of an attempt, why it was planned, or planned anew somewhere else."""
    about: str = ""
    """Of a notice, the fact that it tells, such as which deadline or which budget; a run tells each once."""

    def explain(self, reason: str) -> str:
        """Return why, in full if ``reason``, which is the run's now, is still the same."""
        return reason if reason.startswith(self.reason.removesuffix(CUT)) else self.reason
