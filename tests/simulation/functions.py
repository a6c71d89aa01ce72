"""Functions as Lambda runs them: beside each other, cut off when their time is up, and killed at any call.

Each invocation is a greenlet of its own if one of its calls may be slow: it waits there, and others go on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

from spot_relay.domain.run.hosting import Unmade
from spot_relay.domain.run.launch import CANARY_TAG
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal
from spot_relay.ports import ConflictError, UnansweredError
from tests.simulation.faults import Fault
from tests.simulation.sagemaker import CallError

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.launch import Created, Launch
    from tests.simulation.faults import Dice
    from tests.simulation.timeline import Timeline

# What may befall a call, drawn once for each invocation.
_TROUBLES = (
    Fault.CRASH_BEFORE,
    Fault.CRASH_AFTER,
    Fault.THROTTLED,
    Fault.FAILED,
    Fault.ANSWER_LOST,
    Fault.SLOW,
)
# An event with a relaunch makes some sixteen calls through ports, those to the log counted in.
_CALLS = 16
# So many of the troubles befall a launch, wherever it comes: its job may or may not exist after them.
_AT_LAUNCHES = 0.2
_LAUNCH = "create"
# As far as a function's clock may be off: what the patience of 90 s leaves beside the 60 s that a function may run.
SKEW = 15.0


class Killed(BaseException):
    """The function's process is gone: it crashed, or its time was up."""


@dataclass
class Invocation:
    """One call of a function: ``limit`` is when Lambda ends it, ``troubles`` what befalls which of its calls.

    A call is known by its number or by its method; it is the first one of that.
    """

    name: str
    limit: float
    skew: float = 0.0
    troubles: dict[int | str, Fault] = field(default_factory=dict)
    calls: int = 0


@dataclass
class Lambda:
    """Runs functions; ``silent`` names the ports that call nothing outside of the function."""

    timeline: Timeline
    dice: Dice
    tell: Callable[[str], None] | None
    silent: frozenset[str] = frozenset({"telemetry"})
    answered: Callable[[Launch, Created | NotCreated], None] = lambda *_: None
    """Hears what a function is told of a launch."""
    reject_some: Callable[..., Any] = lambda *_: None
    """Takes a part of the events of a call, as EventBridge may."""
    current: Invocation = field(default_factory=lambda: Invocation("nobody", 0.0))

    def invoke(self, name: str, seconds: float, work: Callable[[], Any], then: Callable[[bool, Any], None]) -> None:
        """Run a function; ``then`` hears whether it came to its end, and its answer or the error that it raised."""
        invocation = self._drawn(name, seconds)

        def run() -> None:
            earlier, self.current = self.current, invocation
            try:
                answer, ended = work(), True
            except Killed:
                answer, ended = None, False
            except Exception as error:  # noqa: BLE001 - the play judges it
                answer, ended = error, False
            self.current = earlier
            then(ended, answer)

        if Fault.SLOW in invocation.troubles.values():
            greenlet(run).switch()
        else:
            run()

    def port(self, name: str, real: Any) -> Any:
        """Return a port whose calls go wrong as the invocation's troubles say."""
        return _Port(self, name, real)

    def call(self, port: str, method: str, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Call through a port."""
        invocation = self.current
        invocation.calls += 1
        trouble = invocation.troubles.get(invocation.calls)
        if trouble is None and port == "jobs":
            trouble = invocation.troubles.pop(method, None)
        if self.tell is not None and port != "telemetry":
            self.tell(f"    {invocation.name}: {port}.{method}" + (f"  !! {trouble}" if trouble else ""))
        if trouble is None and port == "jobs" and method == _LAUNCH and self._loses_canary(args[0]):
            trouble = Fault.ANSWER_LOST
        answer = real(*args) if trouble is None else self._troubled(trouble, port, method, real, args)
        if port == "jobs" and method == _LAUNCH:
            self.answered(args[0], answer)
        return answer

    def _loses_canary(self, launch: Launch) -> bool:
        """Whether a canary's creation goes unanswered: too rare, if only the troubles of all calls can do it."""
        return CANARY_TAG in launch.tags and self.dice.strikes(Fault.CANARY_ANSWER_LOST)

    def _troubled(self, trouble: Fault, port: str, method: str, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        silent = port in self.silent or method == "limit"
        if silent and trouble not in {Fault.CRASH_BEFORE, Fault.CRASH_AFTER}:
            return real(*args)
        self.dice.struck[trouble] += 1
        match trouble:
            case Fault.CRASH_BEFORE:
                raise Killed
            case Fault.CRASH_AFTER:
                real(*args)
                raise Killed
            case Fault.SLOW:
                before, after = self._pauses()
                self._pause(before)
                answer = real(*args)
                self._pause(after)
                return answer
            case Fault.FAILED if port == "announcements":
                return self.reject_some(*args)
            case Fault.ANSWER_LOST:
                real(*args)
        return self._error(trouble, port, method, args)

    def _error(self, trouble: Fault, port: str, method: str, args: tuple[Any, ...]) -> Any:
        """Answer as the adapters do: they make refusals of a launch's errors, and the SDK tries a write again."""
        refusal = Refusal.THROTTLED if trouble is Fault.THROTTLED else Refusal.UNAVAILABLE
        if port == "jobs" and method == "create":
            return NotCreated(str(trouble), refusal)
        if port == "hosting":
            return Unmade(str(trouble), passes=True)
        if port == "jobs":
            raise UnansweredError(f"{method}: {trouble}", refusal)
        if trouble is Fault.ANSWER_LOST and method in {"save", "reopen"}:
            # The second try meets the version that the first one has written.
            raise ConflictError(args[0].id)
        raise CallError(f"{port}.{method}: {trouble}")

    def _pauses(self) -> tuple[float, float]:
        stream = self.dice.stream(Fault.SLOW)
        seconds = stream.choice((0.2, 3.0, 20.0, 58.0))
        before = stream.random() * seconds
        return before, seconds - before

    def _pause(self, seconds: float) -> None:
        """Wait, and let others go on; Lambda ends the function if its time is up meanwhile."""
        invocation, worker = self.current, getcurrent()
        timeline = self.timeline
        until = min(timeline.now + seconds, invocation.limit)
        timeline.at(until, worker.switch)
        assert worker.parent is not None
        worker.parent.switch()
        self.current = invocation
        if timeline.now >= invocation.limit:
            raise Killed

    def _drawn(self, name: str, seconds: float) -> Invocation:
        dice = self.dice
        invocation = Invocation(name, self.timeline.now + seconds)
        if dice.over:
            return invocation
        for trouble in _TROUBLES:
            if dice.draws(trouble):
                stream = dice.stream(trouble)
                call = _LAUNCH if stream.random() < _AT_LAUNCHES else stream.randint(1, _CALLS)
                invocation.troubles[call] = trouble
        if dice.strikes(Fault.SKEW):
            invocation.skew = dice.stream(Fault.SKEW).uniform(-SKEW, SKEW)
        return invocation


class _Port:
    """Stands before a port."""

    def __init__(self, functions: Lambda, name: str, real: Any) -> None:
        self._functions = functions
        self._name = name
        self._real = real

    def __getattr__(self, method: str) -> Callable[..., Any]:
        functions, name, real = self._functions, self._name, getattr(self._real, method)

        def call(*args: Any) -> Any:
            return functions.call(name, method, real, args)

        self.__dict__[method] = call
        return call
