"""Virtual time: what is due happens while a test advances the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Condition

import pytest

from simulator.life.clock import RealTime, VirtualClock


class Alarm:
    """A part that is due at given times, and records when it catches up."""

    def __init__(self, clock: VirtualClock, *due: float) -> None:
        self.changed = Condition()
        self.clock = clock
        self.due = sorted(due)
        self.rang: list[float] = []

    def next_due(self) -> float | None:
        return min(self.due, default=None)

    def catch_up(self) -> None:
        while self.due and self.due[0] <= self.clock.now():
            self.due.pop(0)
            self.rang.append(self.clock.now())


class Broken(Alarm):
    def catch_up(self) -> None:
        raise RuntimeError("broken")


@pytest.fixture
def clock() -> VirtualClock:
    """A clock at 0."""
    return VirtualClock(datetime.fromtimestamp(0, UTC))


def test_a_clock_stands_still_until_it_is_advanced(clock: VirtualClock) -> None:
    assert clock.now() == 0
    clock.advance(2.5)
    assert clock.now() == 2.5


def test_a_clock_cannot_go_back(clock: VirtualClock) -> None:
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)


def test_everything_due_happens_at_its_own_time_and_in_order(clock: VirtualClock) -> None:
    first, second = Alarm(clock, 3.0, 1.0), Alarm(clock, 2.0, 11.0)
    clock.drive([first, second])

    clock.advance(10)

    assert (first.rang, second.rang) == ([1.0, 3.0], [2.0])
    assert clock.now() == 10


def test_what_became_due_in_the_past_happens_now(clock: VirtualClock) -> None:
    clock.advance(5)
    late = Alarm(clock, 1.0)
    clock.drive([late])

    clock.settle()

    assert late.rang == [5.0]
    assert clock.now() == 5


def test_a_part_may_advance_the_clock_itself(clock: VirtualClock) -> None:
    class Sleeper(Alarm):
        def catch_up(self) -> None:
            super().catch_up()
            self.clock.advance(100)

    clock.drive([Sleeper(clock, 1.0)])

    clock.advance(2)

    assert clock.now() == 101


def test_an_error_of_a_part_reaches_whoever_advances_the_clock(clock: VirtualClock) -> None:
    clock.drive([Broken(clock, 1.0)])

    with pytest.raises(RuntimeError, match="broken"):
        clock.advance(1)


def test_in_real_time_an_error_of_a_part_is_reported(clock: VirtualClock) -> None:
    errors: list[Exception] = []
    real_time = RealTime([Broken(clock, 0.0)], errors.append)

    real_time.start()
    real_time.stop()

    assert [str(error) for error in errors] == ["broken"]
