"""What was noted under load, read: which event was decided on when."""

from __future__ import annotations

import pytest

from bench.load.notes import Delays, Notes, find_delays, parse_moment, read_notes
from tests.bench.noted import call, decided, invocation

METRIC = '{"_aws":{"Timestamp":1},"Interruptions":[1.0]}'


def delays_of(*notes: str) -> Delays:
    return find_delays(read_notes(notes).invocations)


def test_the_delay_of_an_event_is_from_its_message_to_the_log_line_of_its_decision() -> None:
    found = delays_of(invocation("observe", 2, 9, [(1.0, "a-relay-01")], METRIC, decided("a", 3.25), "not JSON"))
    assert found == Delays((2.25,), not_found=0, taken_anew=0)


def test_each_message_of_a_batch_gets_the_decision_of_its_run() -> None:
    messages = [(1.0, "a-relay-01"), (2.0, "b-b-relay-03"), (3.0, "a-relay-01")]
    log = (decided("a", 11), decided("b-b", 12), decided("a", 13))
    assert delays_of(invocation("observe", 10, 20, messages, *log)).seconds == (10, 10, 10)


def test_later_log_lines_of_a_run_are_not_decisions_on_its_event() -> None:
    log = (decided("a", 11), decided("a", 12, "Launched"), decided("a", 13))
    messages = [(1.0, "a-relay-01"), (1.0, "a-relay-02")]
    assert delays_of(invocation("observe", 10, 20, messages, *log)) == Delays((10, 12), 0, 0)


def test_of_a_repeated_decision_the_last_one_counts() -> None:
    found = delays_of(invocation("observe", 10, 20, [(1.0, "a-relay-01")], decided("a", 11), decided("a", 15)))
    assert found == Delays((14,), not_found=0, taken_anew=1)


def test_events_without_a_decision_in_the_log_are_counted() -> None:
    messages = [(1.0, "a-relay-01"), (1.0, "b-relay-01")]
    assert delays_of(invocation("observe", 10, 20, messages, decided("b", 11))) == Delays(
        (10,), not_found=1, taken_anew=0
    )


def test_messages_of_the_tick_are_not_events() -> None:
    note = invocation("observe", 10, 20, [(1.0, None), (1.0, "a-relay-01")], decided("a", 11, "Due"), decided("a", 12))
    assert delays_of(note).seconds == (11,)
    found = read_notes([note])
    assert (found.messages, found.state_changes) == (2, 1)


def test_notes_can_be_selected_by_function_and_by_period() -> None:
    notes = read_notes(
        [
            call(1, "observe", "dynamodb.GetItem", read=1.0),
            call(5, "observe", "dynamodb.PutItem", write=2.0),
            call(5, "submit", "s3.GetObject"),
            invocation("observe", 0, 4, []),
            invocation("observe", 4, 6, [(4.0, "a-relay-01")]),
            invocation("submit", 4, 6, []),
        ]
    )
    found = notes.between(3, 7).of("observe")
    assert [one.operation for one in found.calls] == ["dynamodb.PutItem"]
    assert [(one.began, one.messages[0].run_id) for one in found.invocations] == [(4, "a")]


def test_no_lines_yield_no_notes() -> None:
    assert read_notes([]) == Notes((), ())
    assert find_delays([]) == Delays((), 0, 0)


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [("1970-01-01 00:00:01,250+0000", 1.25), ("1970-01-01 01:00:00,000+0100", 0.0)],
)
def test_the_time_of_a_log_line_is_read_in_its_time_zone(stamp: str, seconds: float) -> None:
    assert parse_moment(stamp) == seconds
