"""Functions as automata: what an invocation does next depends on its task and on the answers that it has received.

The service is synchronous code that cannot be stopped between two calls, copied and continued twice. But it is
deterministic: time, randomness and ids reach it as answers, too. So the place where it has stopped is the list of the
answers so far. The first answer at a place continues what stands still there; for each other answer, the function is
run again from its beginning with the answers so far. Each place is visited once and then remembered, in a tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from greenlet import getcurrent, greenlet

from spot_relay.domain.run.run import Run
from spot_relay.service import Service
from tests.fakes import REGION, MemoryInputFiles, MemoryPrices
from tests.simulation.worlds import PRICES

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import timedelta

    from tests.exploration.tasks import Task

# Calls that change the world. All others leave no trace when the function dies after them, or never gets the answer.
EFFECTS = frozenset(
    {
        ("store", "create"),
        ("store", "save"),
        ("store", "reopen"),
        ("jobs", "create"),
        ("jobs", "stop"),
        ("slots", "take"),
        ("slots", "give_back"),
        ("slots", "take_place"),
        ("documents", "write"),
        ("announcements", "announce"),
        ("wakeups", "wake"),
        ("wakeups", "look"),
        ("copies", "copy"),
        ("hosting", "create"),
        ("wakeups", "tell"),
    }
)
_NO_PORTS = frozenset(
    {"clock", "draw", "new_id", "region", "bucket", "notify", "check_every", "canary_image", "tells_at_once"}
)


class _Unpaced:
    """Pacing that lets every launch go at once: turns change when a launch happens, and nothing else."""

    def await_turn(self, *_: Any) -> None:
        """Let an attempt be launched."""

    def await_free_turn(self) -> bool:
        """Let a canary be launched."""
        return True


# Answers that are the same whenever they are asked for.
_CONSTANT: dict[str, Any] = {
    "prices": MemoryPrices(PRICES),
    "input_files": MemoryInputFiles(),
    "pacing": _Unpaced(),
}
_DRAWN = 0.5


class Call(NamedTuple):
    """A call through a port."""

    port: str
    method: str
    args: tuple[Any, ...] = ()

    @property
    def is_effect(self) -> bool:
        """Whether the call changes the world."""
        return (self.port, self.method) in EFFECTS


class Answer(NamedTuple):
    """What a call returned or raised."""

    value: Any = None
    error: Exception | None = None

    @property
    def key(self) -> Hashable:
        """What tells the answer from others; runs are interned, so a run's identity stands for its value."""
        if self.error is not None:
            return type(self.error).__name__, str(self.error)
        if isinstance(self.value, Run):
            return Run, id(self.value)
        if isinstance(self.value, dict):
            return dict, tuple(self.value.items())
        return type(self.value), self.value


@dataclass(slots=True, eq=False)
class Place:
    """Where an invocation stands: before a ``call``, or at its end with an ``answer``."""

    number: int
    task: Task
    reached_by: tuple[Place, Answer] | None
    call: Call | None
    answer: Answer
    said: tuple[str, ...]
    """The reasons that were logged on the way to here from the place before."""
    is_after_effect: bool
    held: _Held | None
    """What stands still here, until the first answer continues it."""
    next_places: dict[Hashable, Place] = field(default_factory=dict)

    def answers(self) -> list[Answer]:
        """Return all answers that have led here."""
        found, place = [], self
        while place.reached_by is not None:
            place, answer = place.reached_by
            found.append(answer)
        return found[::-1]


def _took_effect(place: Place, answer: Answer) -> bool:
    return place.call is not None and place.call.is_effect and answer.error is None


class _Held(NamedTuple):
    """An invocation in the middle of its work. Its stack must not lead back to here, or it would never be freed."""

    stack: greenlet
    replay: _Replay


@dataclass
class Programs:
    """Runs invocations; ``has_slots`` says whether the stack has limits, else calls for slots have no effect."""

    check_every: timedelta
    limit: Callable[[str], int | None]
    has_slots: bool
    begun: dict[Task, Place] = field(default_factory=dict)
    numbers: count[int] = field(default_factory=count)

    def begin(self, task: Task) -> Place:
        """Return the place at which an invocation begins."""
        known = self.begun.get(task)
        if known is None:
            held = self._hold(task, [])
            known = self.begun[task] = self._stand(task, None, held, held.stack.switch())
        return known

    def follow(self, place: Place, answer: Answer) -> Place:
        """Return the place that an answer leads to."""
        key = answer.key
        known = place.next_places.get(key)
        if known is None:
            known = place.next_places[key] = self._go_on(place, answer)
        return known

    def _go_on(self, place: Place, answer: Answer) -> Place:
        held, place.held = place.held, None
        if held is None:
            held = self._hold(place.task, [*place.answers(), answer])
            stopped = held.stack.switch()
        else:
            stopped = held.stack.switch(answer)
        return self._stand(place.task, (place, answer), held, stopped)

    def _hold(self, task: Task, answers: list[Answer]) -> _Held:
        """Return an invocation that has not begun yet."""
        replay = _Replay(self, answers)

        def work() -> Answer:
            try:
                return Answer(task.work(self._service(task, replay)))
            except Exception as error:  # noqa: BLE001 - whoever follows the invocation judges it
                return Answer(error=error)

        return _Held(greenlet(work), replay)

    def _stand(self, task: Task, reached_by: tuple[Place, Answer] | None, held: _Held, stopped: Call | Answer) -> Place:
        """Return the place of an invocation that has stopped at a call or ended with an answer."""
        call, answer = (stopped, Answer()) if isinstance(stopped, Call) else (None, stopped)
        after_effect = reached_by is None or _took_effect(*reached_by)
        said, still = tuple(held.replay.said), None if call is None else held
        return Place(next(self.numbers), task, reached_by, call, answer, said, after_effect, still)

    def _service(self, task: Task, replay: _Replay) -> Service:
        ports: dict[str, Any] = {known.name: _Port(known.name, replay) for known in fields(Service)}
        wired = {name: port for name, port in ports.items() if name not in _NO_PORTS} | _CONSTANT
        return Service(
            **wired,
            clock=lambda: replay.call(Call("clock", "read")),
            draw=lambda: _DRAWN,
            new_id=lambda: f"id of {task.name}",
            region=REGION,
            check_every=self.check_every,
            notify=(),
            tells_at_once=1,
        )


class _Replay:
    """Answers calls as they were answered before; one that was not yet answered suspends the service."""

    def __init__(self, programs: Programs, answers: list[Answer]) -> None:
        self.programs = programs
        self.answers = answers
        self.made = 0
        self.said: list[str] = []

    def call(self, call: Call) -> Any:
        if call[:2] == ("telemetry", "log_decision"):
            self.said.append(f"{call.args[1]}: {call.args[2]}")
            return None
        if call[:2] == ("slots", "limit"):
            return self.programs.limit(*call.args)
        if call.port == "slots" and not self.programs.has_slots:
            return None
        if call[:2] == ("telemetry", "measure") and not call.args[1]:
            return None
        if self.made == len(self.answers):
            self.answers.append(getcurrent().parent.switch(call))
        answer = self.answers[self.made]
        self.made += 1
        self.said.clear()
        if answer.error is not None:
            raise answer.error
        return answer.value


class _Port:
    """Stands for a port."""

    def __init__(self, name: str, replay: _Replay) -> None:
        self._name = name
        self._replay = replay

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda *args: self._replay.call(Call(self._name, method, args))
