"""Services that are broken in ways that show only when functions meet, die or lose an answer at the wrong moment.

Each is caught in the scenario that it names. An exploration that does not catch them would show nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spot_relay.domain.decide import user_requests
from spot_relay.domain.decide.steps import STOPPED_BY_REQUEST, Decision, finish
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.values import replace
from spot_relay.duties import Duties
from spot_relay.payments import Payments
from spot_relay.service import Service
from tests.exploration.scope import Allowance
from tests.simulation import broken as hostile
from tests.simulation.broken import Broken
from tests.simulation.hosting import Hosting

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.domain.run.hosting import Part
    from spot_relay.domain.run.launch import Launch
    from spot_relay.domain.run.run import Run

_stop, _split = user_requests.stop, Payments._split
NOTHING_WRONG = Allowance(crashes=0, duplicates=0, lost=0)

ONE_ANSWER_LOST = NOTHING_WRONG._replace(lost=1)
ONE_CRASH = NOTHING_WRONG._replace(crashes=1)


@dataclass(frozen=True)
class Case:
    """A broken service, the scenario that catches it, and what has to go wrong there besides the order of calls."""

    broken: Broken
    scenario: str
    invariant: int
    """What the shortest schedule violates, which may be another invariant than with the simulation's schedules."""
    allowance: Allowance = NOTHING_WRONG


def _ends_at_the_stop(run: Run, now: datetime) -> Decision:
    """End a run as soon as its user stops it, although another function may be launching its attempt."""
    if run.has_ended or run.current.status is not AttemptStatus.PLANNED:
        return _stop(run, now)
    return finish(replace(run, stop_requested=True), RunStatus.STOPPED, now, STOPPED_BY_REQUEST)


def _looks_for_nothing(self: Duties, launch: Launch) -> bool:
    """Take a job whose creation was not answered as never created."""
    return False


def _clears_before_it_acts(self: Service, run: Run, *_: object, **__: object) -> tuple[Run, Exception | None]:
    """Save that everything is done before doing it."""
    if not run.outbox:
        return run, None
    cleared = self.store.save(replace(run, outbox=Outbox()))
    self._duties.tell(cleared, run.outbox)
    settled = self._payments._settle(cleared, self._duties.perform(run, run.outbox))
    self._duties.publish(settled, run.outbox.then(settled.outbox).publications)
    return self.store.save(replace(settled, outbox=settled.outbox.actions)), None


def _copies_what_it_finds(self: Payments, run: Run, answers: Any, *, has_told: bool, may_copy: bool) -> Any:
    """Copy checkpoints although another function has saved that they are owed, and may be at work."""
    return _split(self, run, answers, has_told=has_told, may_copy=True)


def _recognises_nothing(self: Hosting, part: Part) -> bool:
    """Take what is there already for something that has to be created."""
    return False


def _known(title: str) -> Broken:
    return next(broken for broken in hostile.BROKEN if broken.title == title)


CASES = (
    Case(_known("saves over what another has saved"), "launch and stop", 4),
    Case(_known("leaves a stopped run its job"), "launch and stop", 4),
    Case(_known("acts before it saves"), "resumption", 4),
    Case(_known("changes what has ended"), "return to spot", 4),
    Case(_known("leaves its canary alive"), "canary and stop", 4),
    Case(_known("takes silence for a no"), "launch and stop", 5, ONE_ANSWER_LOST),
    Case(
        Broken("ends at the stop", 4, ((user_requests, "stop", _ends_at_the_stop),)),
        "launch and stop",
        4,
        ONE_ANSWER_LOST,
    ),
    Case(
        Broken("looks for nothing", 4, ((Duties, "_exists", _looks_for_nothing),)),
        "canary and stop",
        4,
        ONE_ANSWER_LOST,
    ),
    Case(_known("begins whatever has become of the others"), "follower", 9),
    Case(_known("begins with half a copy"), "copy", 9),
    Case(
        Broken("copies what it finds owed", 7, ((Payments, "_split", _copies_what_it_finds),)),
        "copy",
        7,
        NOTHING_WRONG._replace(duplicates=1),
    ),
    Case(
        Broken("recognises nothing that it has created", 10, ((Hosting, "_exists", _recognises_nothing),)),
        "deployment",
        10,
        ONE_CRASH,
    ),
    Case(
        Broken("clears its outbox before it acts", 2, ((Service, "_pay", _clears_before_it_acts),)),
        "end and stop",
        8,
        ONE_CRASH,
    ),
)
