"""The search: all schedules of a scenario, each state once; and the shortest schedule that violates an invariant."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.exploration.closing import Closing
from tests.exploration.moves import Kind, Move, list_moves, make
from tests.exploration.world import World
from tests.simulation.violation import ViolationError

if TYPE_CHECKING:
    from tests.exploration.scope import Scenario


@dataclass
class Found:
    """What an exploration has found: how many states, how many schedules lead through them, and what is violated."""

    states: int = 0
    schedules: int = 0
    violation: ViolationError | None = None


@dataclass
class _Step:
    """A state on the way of the search: the moves that are left to try in it, and how many schedules it has."""

    key: bytes
    world: World
    moves: list[Move]
    schedules: int = 0


@dataclass
class Search:
    """Explores a scenario depth first. ``schedules`` maps each state to the number of its schedules, once known."""

    scenario: Scenario
    closing: Closing = field(default_factory=Closing)
    schedules: dict[bytes, int] = field(default_factory=dict)

    def run(self) -> Found:
        """Visit every state; end at the first violation."""
        try:
            total = self._visit(begin(self.scenario))
        except ViolationError as violation:
            return Found(len(self.schedules), 0, violation)
        return Found(len(self.schedules), total)

    def _visit(self, first: World) -> int:
        way = [self._open(first.key(), first)]
        while True:
            step = way[-1]
            if step.moves:
                after = make(step.world, step.moves.pop())
                key = after.key()
                known = self.schedules.get(key)
                if known is None:
                    way.append(self._open(key, after))
                else:
                    step.schedules += known
                continue
            way.pop()
            self.schedules[step.key] = step.schedules
            if not way:
                return step.schedules
            way[-1].schedules += step.schedules

    def _open(self, key: bytes, world: World) -> _Step:
        moves = list_moves(world)
        if is_end(world, moves):
            self.closing.close(world)
            return _Step(key, world, moves, 1)
        return _Step(key, world, moves)


def is_end(world: World, moves: list[Move]) -> bool:
    """Whether a schedule ends here: nothing runs, and nothing happens any more unless time passes."""
    return not world.workers and all(move.kind is Kind.LEAP for move in moves)


def begin(scenario: Scenario) -> World:
    """Return the world in which a scenario begins, with all that may go wrong in it."""
    world = World.new(scenario)
    scenario.begin(world)
    world = world.fork()
    world.allowance, world.hears_all = scenario.allowance, False
    return world


@dataclass(frozen=True)
class _Way:
    """The last move of a way, and the way before it."""

    before: _Way | None
    move: Move

    def moves(self) -> list[Move]:
        found: list[Move] = []
        way: _Way | None = self
        while way is not None:
            found.append(way.move)
            way = way.before
        return found[::-1]


@dataclass(frozen=True)
class Counterexample:
    """The moves of a shortest schedule that violates an invariant, and the violation."""

    moves: list[Move]
    violation: ViolationError


def find_shortest(scenario: Scenario) -> Counterexample | None:
    """Return a schedule that violates an invariant with the fewest moves, or None if no schedule does."""
    closing, first = Closing(), begin(scenario)
    seen = {first.key()}
    waiting: deque[tuple[World, _Way | None]] = deque([(first, None)])
    while waiting:
        world, way = waiting.popleft()
        moves = list_moves(world)
        if is_end(world, moves):
            try:
                closing.close(world)
            except ViolationError as violation:
                return Counterexample(way.moves() if way else [], violation)
        for move in moves:
            onward = _Way(way, move)
            try:
                after = make(world, move)
            except ViolationError as violation:
                return Counterexample(onward.moves(), violation)
            key = after.key()
            if key not in seen:
                seen.add(key)
                waiting.append((after, onward))
    return None
