"""When to save, what the history learns from it, and the end after a SIGTERM."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from spot_relay_client.checkpoints import STOPPED, Checkpoints, History
from spot_relay_client.checkpoints.history import PRIOR_SECONDS, SHORTEST_SECONDS
from tests.unit.client.checkpoints.writing import HISTORY, Clock, steps, stored, write, write_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_save_is_due_after_each_interval(folder: Path, clock: Clock) -> None:
    with Checkpoints(folder, every=300, clock=clock) as checkpoints:
        for _ in range(3):
            clock.now += 299
            assert not checkpoints.due()
            clock.now += 1
            assert checkpoints.due()
            clock.now += 50
            checkpoints.save(1, write("x"))


def save_slowly(checkpoints: Checkpoints, clock: Clock, seconds: float) -> None:
    def slow(path: Path) -> None:
        clock.now += seconds
        path.write_text("x")

    checkpoints.save(1, slow)


def test_the_first_save_is_early_and_what_it_cost_decides_on_the_next(folder: Path, clock: Clock) -> None:
    with Checkpoints(folder, clock=clock) as checkpoints:
        assert checkpoints.interval == SHORTEST_SECONDS
        clock.now += SHORTEST_SECONDS
        assert checkpoints.due()
        save_slowly(checkpoints, clock, 10)
        assert checkpoints.interval == pytest.approx(372.8, rel=0.01)
        clock.now += checkpoints.interval - 1
        assert not checkpoints.due()
        clock.now += 20
        assert checkpoints.due()


def test_a_framework_is_timed_from_when_the_save_became_due(folder: Path, clock: Clock) -> None:
    with Checkpoints(folder, clock=clock) as checkpoints:
        write_folder(model="m")(folder / "checkpoint-step-1")
        checkpoints.seal(1)
        assert stored(folder).save_seconds == ()
        clock.now += SHORTEST_SECONDS
        assert checkpoints.due()
        clock.now += 7
        assert checkpoints.due()
        clock.now += 5
        checkpoints.seal(1)
        assert stored(folder).save_seconds == (12,)


def test_each_start_that_was_cut_short_makes_saves_more_frequent(folder: Path, clock: Clock) -> None:
    intervals = []
    for _ in range(4):
        checkpoints = Checkpoints(folder, clock=clock, handle_sigterm=False)
        checkpoints.__enter__()  # and never leaves: the instance is gone
        clock.now += 600
        save_slowly(checkpoints, clock, 10)
        intervals.append(checkpoints.interval)
    assert intervals == sorted(intervals, reverse=True)
    assert stored(folder).interruptions == 3
    assert stored(folder).trained_seconds == 4 * 610
    with Checkpoints(folder, clock=clock):
        clock.now += 600
    assert stored(folder) == History(4, 4 * 610 + 600, (10,) * 4, is_running=False)


def test_a_training_that_ended_was_not_interrupted_but_one_that_failed_was(folder: Path, clock: Clock) -> None:
    with Checkpoints(folder, clock=clock):
        clock.now += PRIOR_SECONDS
    with pytest.raises(RuntimeError, match="NaN"), Checkpoints(folder, clock=clock):  # noqa: PT012
        clock.now += 10
        raise RuntimeError("NaN")
    assert stored(folder).trained_seconds == PRIOR_SECONDS + 10
    with Checkpoints(folder, clock=clock) as checkpoints:
        checkpoints.save(1, write("x"))
    assert stored(folder).interruptions == 1


def test_a_history_that_can_not_be_read_begins_anew_and_says_so(
    folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir()
    (folder / HISTORY).write_bytes(b"\xff{")
    with Checkpoints(folder, clock=clock):
        assert stored(folder) == History(is_running=True)
    assert "history of saves and interruptions begins anew" in caplog.text


# The end.


def test_after_a_sigterm_one_last_save_is_due_and_the_process_ends_with_143(folder: Path, clock: Clock) -> None:
    with pytest.raises(SystemExit) as ended, Checkpoints(folder, every=300, clock=clock) as checkpoints:  # noqa: PT012
        checkpoints.exit_if_stopping()
        assert not checkpoints.stopping
        signal.raise_signal(signal.SIGTERM)
        assert checkpoints.stopping
        assert checkpoints.due()
        clock.now += 40
        checkpoints.save(41, write("x"))
        assert not checkpoints.due()
        clock.now += 300
        assert not checkpoints.due()
        checkpoints.exit_if_stopping()
    assert ended.value.code == STOPPED == 143
    assert stored(folder).is_running
    assert stored(folder).trained_seconds == 340


def test_a_sigterm_during_a_save_needs_no_further_one(folder: Path) -> None:
    def interrupted(path: Path) -> None:
        signal.raise_signal(signal.SIGTERM)
        path.write_text("x")

    with Checkpoints(folder, every=300) as checkpoints:
        checkpoints.save(1, interrupted)
        assert checkpoints.stopping
        assert not checkpoints.due()
        assert steps(checkpoints) == [1]


def test_a_sigterm_after_the_question_whether_to_save_loses_nothing(folder: Path) -> None:
    with pytest.raises(SystemExit), Checkpoints(folder, every=300) as checkpoints:  # noqa: PT012
        for step in range(1, 4):
            if checkpoints.due():
                checkpoints.save(step, write("x"))
            if step == 1:
                signal.raise_signal(signal.SIGTERM)
            checkpoints.exit_if_stopping()
            assert step == 1
    assert steps(checkpoints) == [2]


def test_sigterm_is_handled_only_inside_and_only_if_wanted(folder: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Checkpoints(folder, handle_sigterm=False):
        assert signal.getsignal(signal.SIGTERM) is before
    with Checkpoints(folder):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


# Several processes.


def test_a_process_that_does_not_write_changes_nothing_and_still_finds_and_stops(folder: Path) -> None:
    with Checkpoints(folder) as writer:
        writer.save(1, write_folder(model="m"))
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        with Checkpoints(folder, writes=False, every=0) as other:
            assert other.newest() == writer.newest()
            assert other.due()
            other.save(2, write("x"))
            other.seal(1)
            signal.raise_signal(signal.SIGTERM)
            assert other.stopping
            other.exit_if_stopping()
            other.save(3, write("x"))
            with pytest.raises(SystemExit):
                other.exit_if_stopping()
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
