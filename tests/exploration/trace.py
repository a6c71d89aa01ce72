"""A schedule in words: who calls what, what is answered, and what is decided."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.launch import Created, Launch
from spot_relay.domain.run.run import Run
from spot_relay.domain.sagemaker.job import Job
from spot_relay.domain.sagemaker.refusal import NotCreated
from tests.exploration.closing import Closing
from tests.exploration.moves import Kind, make
from tests.exploration.search import begin
from tests.simulation.violation import ViolationError

if TYPE_CHECKING:
    from tests.exploration.moves import Move
    from tests.exploration.programs import Answer, Call
    from tests.exploration.scope import Scenario
    from tests.exploration.search import Counterexample
    from tests.exploration.world import World

_LONGEST = 150


@dataclass
class _Trace:
    """Follows a schedule; ``names`` are those of the functions that are under way, in their order."""

    lines: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    begun: int = 0

    def follow(self, world: World, move: Move) -> World:
        """Make a move and say so."""
        match move.kind:
            case Kind.CALL | Kind.LOSE | Kind.CRASH:
                self._describe_call(world, move)
            case Kind.DELIVER | Kind.DUPLICATE | Kind.TICK:
                self._describe_start(world, move)
            case Kind.JOB:
                pass
            case _:
                self.lines.append(str(move.kind))
        after = make(world, move)
        if move.kind is Kind.JOB:
            life = after.sagemaker.jobs[str(move.which)].life
            self.lines.append(f"SageMaker: {move.which} is {life.status} / {life.secondary}")
        self._note_reasons(world, after, move)
        return after

    def _describe_start(self, world: World, move: Move) -> None:
        name = f"function {ascii_uppercase[self.begun % len(ascii_uppercase)]}"
        self.begun += 1
        self.names.append(name)
        is_tick = move.kind is Kind.TICK
        what = f"{move.which}: Due" if is_tick else world.queue[int(move.which)].task.name
        again = ", which will be delivered again" if move.kind is Kind.DUPLICATE else ""
        self.lines.append(f"{name} takes: {what}{again}")

    def _describe_call(self, world: World, move: Move) -> None:
        index = int(move.which)
        name, call = self.names[index], world.workers[index].place.call
        assert call is not None
        if move.kind is Kind.CRASH:
            self.lines.append(f"{name} dies before {call.port}.{call.method}")
            return
        lost = "  (carried out, but the answer is lost)" if move.kind is Kind.LOSE else ""
        try:
            answer = world.fork().answer(call)
        except ViolationError:
            answer = None
        self._say(name, call, answer, lost)

    def _say(self, name: str, call: Call | None, answer: Answer | None, lost: str = "") -> None:
        if call is not None and call.port != "clock":
            args = ", ".join(filter(None, map(_in_words, call.args)))
            self.lines.append(f"{name}: {call.port}.{call.method}({args}){_answer_in_words(answer)}{lost}")

    def _note_reasons(self, before: World, after: World, move: Move) -> None:
        worked = move.kind in {Kind.CALL, Kind.LOSE}
        gone = len(self.names) > len(after.workers)
        if gone:
            name = self.names.pop(int(move.which) if worked or move.kind is Kind.CRASH else -1)
            if move.kind is not Kind.CRASH:
                self.lines.append(f"{name} is done")
        elif worked or len(after.workers) > len(before.workers):
            place = after.workers[int(move.which) if worked else -1].place
            if not worked and place.reached_by is not None:
                self._say(self.names[-1], place.reached_by[0].call, place.reached_by[1])
            self.lines += [f"    {said}"[:_LONGEST] for said in place.said]


def describe(scenario: Scenario, found: Counterexample) -> list[str]:
    """Return a schedule that violates an invariant as lines of text."""
    trace, world = _Trace(), begin(scenario)
    for move in found.moves:
        try:
            world = trace.follow(world, move)
        except ViolationError:
            break
    else:
        trace.lines.append("From here on nothing goes wrong any more:")
        with suppress(ViolationError):
            Closing().close(world, lambda line: trace.lines.append(f"    {line}"))
    return [*trace.lines, f"-> {found.violation}"]


def _in_words(value: Any) -> str:
    match value:
        case Run():
            return f"{value.id}, version {value.version}: {value.status}"
        case Launch():
            return value.job_name
        case Job():
            return f"{value.status} / {value.secondary_status}"
        case Created():
            return "created"
        case NotCreated():
            return f"not created: {value.refusal}"
        case dict() if "status" in value:
            return str(value["status"])
        case tuple():
            return ", ".join(str(getattr(item, "name", item)) for item in value)
        case None:
            return ""
    return str(value)


def _answer_in_words(answer: Answer | None) -> str:
    if answer is None:
        return ""
    if answer.error is not None:
        return f" raises {type(answer.error).__name__}"
    said = _in_words(answer.value)
    return f" -> {said}" if said else ""
