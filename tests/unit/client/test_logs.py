"""The log of a run: every line of all streams exactly once, in the order of time."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.shown.report import LOG_GROUP
from spot_relay_client.logs import HOLD_BACK, LATE, LogLine, LogReader
from tests.thoroughness import examples
from tests.unit.client.documents import NOW, attempt_document, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spot_relay_client.models import Run

PAGE = 2


class FakeStreams:
    """Streams in memory, whose pages are small and sometimes empty, as CloudWatch's may be."""

    def __init__(self) -> None:
        self.lines: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        self.calls = 0

    def write(self, stream: str, at: datetime, text: str) -> None:
        """Append a line to a stream."""
        self.lines[stream].append((at, text))

    def names(self, group: str, prefix: str) -> Sequence[str]:
        """Return the names of the streams that begin with a prefix."""
        assert group == LOG_GROUP
        return [name for name in sorted(self.lines) if name.startswith(prefix)]

    def page(
        self, group: str, stream: str, token: str | None, since: datetime | None
    ) -> tuple[Sequence[tuple[datetime, str]], str]:
        """Return the next lines; every other page that has some is preceded by an empty one."""
        assert group == LOG_GROUP
        self.calls += 1
        position, _, empty = (token or "0").partition("/")
        start = int(position)
        found = self.lines[stream][start : start + PAGE]
        if found and start % 4 == 0 and not empty:
            return [], f"{start}/empty"
        if not found:
            return [], token or "0"
        return [line for line in found if since is None or line[0] >= since], str(start + len(found))


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def ended(number: int, seconds: float) -> dict[str, object]:
    return attempt_document(number, status="Ended", ended_at=at(seconds).isoformat())


def texts(lines: Sequence[LogLine]) -> list[str]:
    return [line.text for line in lines]


def read(reader: LogReader, found: Run, seconds: float) -> list[LogLine]:
    return list(reader.read(found, at(seconds)))


def test_hosts_and_attempts_become_one_stream_in_the_order_of_time() -> None:
    streams = FakeStreams()
    for second in range(0, 10, 2):
        streams.write("churn-relay-01/algo-1-170", at(second), str(second))
        streams.write("churn-relay-01/algo-2-170", at(second + 1), str(second + 1))
    streams.write("churn-relay-02/algo-1-180", at(20), "20")
    streams.write("churn-relay-021/algo-1-180", at(0), "another run's")
    found = run(status="Completed", ended_at=at(30).isoformat(), attempts=[ended(1, 10), ended(2, 30)])
    lines = read(LogReader(streams), found, 100)
    assert texts(lines) == [*map(str, range(10)), "20"]
    assert (lines[1].host, lines[1].attempt, lines[-1].attempt) == ("algo-2", 1, 2)


def test_a_line_is_held_back_until_another_host_cannot_be_before_it() -> None:
    streams = FakeStreams()
    reader = LogReader(streams)
    streams.write("churn-relay-01/algo-1-170", at(0), "second")
    assert read(reader, run(), 1) == []
    streams.write("churn-relay-01/algo-2-170", at(-1), "first")
    assert texts(read(reader, run(), HOLD_BACK.total_seconds())) == ["first", "second"]
    assert read(reader, run(), 100) == []


def test_a_line_that_arrives_after_the_end_of_its_attempt_is_read() -> None:
    streams = FakeStreams()
    reader = LogReader(streams)
    streams.write("churn-relay-01/algo-1-170", at(0), "early")
    open_run = run(attempts=[ended(1, 1), attempt_document(2)])
    assert texts(read(reader, open_run, 3)) == ["early"]
    streams.write("churn-relay-01/algo-1-170", at(1), "late")
    assert texts(read(reader, open_run, 2 + LATE.total_seconds())) == ["late"]


def test_a_stream_of_a_replaced_host_is_read_as_well() -> None:
    streams = FakeStreams()
    reader = LogReader(streams)
    streams.write("churn-relay-01/algo-1-170", at(0), "before the interruption")
    assert texts(read(reader, run(), 5)) == ["before the interruption"]
    streams.write("churn-relay-01/algo-1-190", at(6), "after it")
    assert texts(read(reader, run(), 10)) == ["after it"]


def test_the_end_is_reached_only_when_no_line_can_arrive_any_more() -> None:
    reader = LogReader(FakeStreams())
    over = run(status="Stopped", ended_at=at(0).isoformat(), attempts=[ended(1, 0)])
    read(reader, over, 1)
    assert not reader.at_end(over)
    read(reader, over, 1 + LATE.total_seconds())
    assert reader.at_end(over)
    assert not reader.at_end(run())


def test_the_end_is_reached_if_the_last_attempt_was_never_created() -> None:
    reader = LogReader(FakeStreams())
    planned = attempt_document(status="Planned", phase=None)
    over = run(status="Failed", ended_at=at(0).isoformat(), attempts=[planned])
    assert read(reader, over, 60) == []
    assert reader.at_end(over)


def test_an_attempt_whose_end_was_read_costs_no_more_calls() -> None:
    streams = FakeStreams()
    streams.write("churn-relay-01/algo-1-170", at(0), "x")
    reader = LogReader(streams)
    found = run(attempts=[ended(1, 1), attempt_document(2)])
    read(reader, found, 60)
    calls = streams.calls
    read(reader, found, 70)
    assert streams.calls == calls


def test_one_attempt_and_lines_since_a_moment_can_be_chosen() -> None:
    streams = FakeStreams()
    for number in (1, 2):
        for second in (0, 10):
            streams.write(f"churn-relay-{number:02}/algo-1-170", at(second), f"{number} at {second}")
    found = run(attempts=[ended(1, 10), ended(2, 10)])
    assert texts(read(LogReader(streams, attempt=2), found, 60)) == ["2 at 0", "2 at 10"]
    assert texts(read(LogReader(streams, since=at(5)), found, 60)) == ["1 at 10", "2 at 10"]


@examples(100)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 5)), max_size=40),
    st.sets(st.integers(0, 40)),
)
def test_every_line_is_read_exactly_once_and_in_order_within_its_stream(
    writes: list[tuple[int, int, int]], reads: set[int]
) -> None:
    streams, moment, lines = FakeStreams(), 0, []
    reader = LogReader(streams)
    found = run(attempts=[attempt_document(number) for number in (1, 2, 3)])
    for index, (number, host, pause) in enumerate(writes):
        moment += pause
        streams.write(f"churn-relay-{number:02}/algo-{host}-170", at(moment), str(index))
        if index in reads:
            lines += read(reader, found, moment)
    over = run(status="Completed", ended_at=at(moment).isoformat(), attempts=[ended(n, moment) for n in (1, 2, 3)])
    lines += read(reader, over, moment + 60)
    assert sorted(int(line.text) for line in lines) == list(range(len(writes)))
    for stream in {(line.attempt, line.host) for line in lines}:
        own = [int(line.text) for line in lines if (line.attempt, line.host) == stream]
        assert own == sorted(own)
    assert reader.at_end(over)
