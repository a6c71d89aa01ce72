"""All turns keep the same promises: those in memory, and those in the table of the template."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.adapters.turns import DynamoDBTurns
from spot_relay.domain.rules.turns import Lane, LaunchRate
from tests.fakes import NOON, MemoryTurns
from tests.integration.fake_aws import calls_to
from tests.template import create_runs_table
from tests.thoroughness import examples

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.ports import Turns
    from tests.integration.fake_aws import FakeAWS

TABLE = "runs"
ONCE = LaunchRate(1)
STEP = timedelta(milliseconds=1050)


@pytest.fixture
def table(aws: FakeAWS) -> DynamoDBTurns:
    create_runs_table(aws.client("dynamodb"), TABLE)
    return DynamoDBTurns(aws.client("dynamodb"), TABLE, ONCE)


@pytest.fixture(params=["memory", "dynamodb"])
def turns(request: pytest.FixtureRequest) -> Turns:
    return MemoryTurns(ONCE) if request.param == "memory" else request.getfixturevalue("table")


def test_the_first_turn_is_now_and_the_others_follow(turns: Turns) -> None:
    assert [turns.take(Lane.LINE, NOON) - NOON for _ in range(3)] == [0 * STEP, STEP, 2 * STEP]


def test_after_a_pause_the_next_turn_is_now_again(turns: Turns) -> None:
    for _ in range(5):
        turns.take(Lane.LINE, NOON)
    later = NOON + timedelta(minutes=1)
    assert turns.take(Lane.EXPRESS, later) == later
    assert turns.take(Lane.LINE, later) == later + STEP


def test_some_turns_are_kept_for_launches_that_come_first(turns: Turns) -> None:
    for _ in range(30):
        turns.take(Lane.LINE, NOON)
    assert [turns.take(Lane.EXPRESS, NOON) - NOON for _ in range(2)] == [9 * STEP, 19 * STEP]


def test_a_turn_that_would_be_too_late_is_not_taken(turns: Turns) -> None:
    for _ in range(3):
        turns.take(Lane.LINE, NOON)
    assert turns.take_by(NOON + 2 * STEP, Lane.LINE, NOON) is None
    assert turns.take_by(NOON + 3 * STEP, Lane.LINE, NOON) == NOON + 3 * STEP
    assert turns.take(Lane.LINE, NOON) == NOON + 4 * STEP


def test_a_stack_that_was_deployed_at_another_rate_goes_on_after_the_turns_that_are_taken(aws: FakeAWS) -> None:
    create_runs_table(aws.client("dynamodb"), TABLE)
    slow = DynamoDBTurns(aws.client("dynamodb"), TABLE, ONCE)
    fast = DynamoDBTurns(aws.client("dynamodb"), TABLE, LaunchRate(10))
    taken = [slow.take(Lane.LINE, NOON) for _ in range(4)] + [fast.take(Lane.LINE, NOON) for _ in range(4)]
    assert taken == sorted(set(taken))
    assert taken[-1] - taken[4] <= timedelta(seconds=0.5)


def test_a_turn_costs_one_write_and_a_second_one_if_others_are_taken(table: DynamoDBTurns) -> None:
    with calls_to(table.client) as calls:
        table.take(Lane.LINE, NOON)
        assert calls == ["UpdateItem"]
        table.take(Lane.LINE, NOON + timedelta(minutes=1))
        assert calls == ["UpdateItem"] * 2
        table.take(Lane.LINE, NOON + timedelta(minutes=1))
        assert calls == ["UpdateItem"] * 4


@pytest.mark.parametrize("others", [1, 2, 5])
def test_each_turn_is_taken_once_however_many_functions_come_between(table: DynamoDBTurns, others: int) -> None:
    taken: list[datetime] = []
    events, left = table.client.meta.events, [others]

    def come_between(**_: Any) -> None:
        if left[0]:
            left[0] -= 1
            taken.append(table.take(Lane.LINE, NOON))

    events.register("before-call.dynamodb.UpdateItem", come_between)
    try:
        taken.append(table.take(Lane.LINE, NOON))
    finally:
        events.unregister("before-call.dynamodb.UpdateItem", come_between)
    assert sorted(taken) == [NOON + number * STEP for number in range(others + 1)]


def test_the_item_of_the_turns_is_no_run(table: DynamoDBTurns) -> None:
    table.take(Lane.LINE, NOON)
    store = DynamoDBRunStore(table.client, TABLE)
    assert store.load("turns#CreateTrainingJob") is None
    assert list(store.list_due(NOON + timedelta(days=365))) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Lane),
            st.sampled_from((0.0, 0.3, 1.05, 2.0, 15.0)),
            st.none() | st.sampled_from((0.0, 1.5, 10.0)),
        ),
        max_size=25,
    )
)
@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_table_hands_out_the_same_turns_as_memory(
    aws: FakeAWS, takes: list[tuple[Lane, float, float | None]]
) -> None:
    aws.moto.forget()
    create_runs_table(aws.client("dynamodb"), TABLE)
    memory, table, now = MemoryTurns(ONCE), DynamoDBTurns(aws.client("dynamodb"), TABLE, ONCE), NOON
    for lane, pause, within in takes:
        now += timedelta(seconds=pause)
        assert _take(memory, lane, now, within) == _take(table, lane, now, within)


def _take(turns: Turns, lane: Lane, now: datetime, within: float | None) -> datetime | None:
    return turns.take(lane, now) if within is None else turns.take_by(now + timedelta(seconds=within), lane, now)
