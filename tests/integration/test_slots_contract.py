"""All slots keep the same promises: those in memory, and those in the table of the template."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.adapters.slots import MAX_LOOKUPS, DynamoDBSlots
from spot_relay.domain.rules.limits import Limits, refuse_slot
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.sagemaker.job import attempt_name
from tests.fakes import NOON, MemorySlots
from tests.integration.fake_aws import calls_to
from tests.integration.runs import a_run
from tests.template import create_runs_table
from tests.thoroughness import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spot_relay.domain.values import No
    from spot_relay.ports import Slots
    from tests.integration.fake_aws import FakeAWS

TABLE = "runs"
GPU, OTHER = "ml.p3.2xlarge", "ml.m5.xlarge"
LIMITS = Limits({GPU: 2})


@dataclass
class Runs:
    """The runs whose attempts take slots."""

    known: dict[str, Run] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def find(self, run_id: str) -> Run | None:
        self.asked.append(run_id)
        return self.known.get(run_id)

    def holder(self, run_id: str, number: int = 1, **changes: Any) -> str:
        """Let a run have an open attempt of that number, and name its job."""
        run = self.known.get(run_id) or a_run(run_id, NOON)
        for missing in range(len(run.attempts) + 1, number + 1):
            run = run.with_attempt(replace(run.current, number=missing, job_name=attempt_name(run_id, missing)))
        self.known[run_id] = replace(run, **changes)
        return attempt_name(run_id, number)

    def attempt_ends(self, run_id: str, number: int = 1) -> None:
        run = self.known[run_id]
        self.known[run_id] = run.with_attempt(replace(run.attempts[number - 1], status=AttemptStatus.ENDED))

    def attempt_lives(self, run_id: str) -> None:
        run = self.known[run_id]
        self.known[run_id] = run.with_attempt(replace(run.current, status=AttemptStatus.IN_PROGRESS))


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
def table(aws: FakeAWS, runs: Runs) -> DynamoDBSlots:
    create_runs_table(aws.client("dynamodb"), TABLE)
    return DynamoDBSlots(aws.client("dynamodb"), TABLE, LIMITS, runs.find)


@pytest.fixture(params=["memory", "dynamodb"])
def slots(request: pytest.FixtureRequest, runs: Runs) -> Slots:
    return MemorySlots(LIMITS, runs.find) if request.param == "memory" else request.getfixturevalue("table")


def with_limits(slots: Slots, limits: Limits) -> Slots:
    """The same slots after the stack was deployed with other limits."""
    assert isinstance(slots, MemorySlots | DynamoDBSlots)
    return replace(slots, limits=limits)


def holders(slots: Slots, instance_type: str = GPU) -> set[str]:
    if isinstance(slots, MemorySlots):
        return slots.holders.get(instance_type, set())
    assert isinstance(slots, DynamoDBSlots)
    item = slots.client.get_item(TableName=TABLE, Key={"id": {"S": f"slots#{instance_type}"}}).get("Item", {})
    return set(item.get("holders", {"SS": []})["SS"])


def test_as_many_jobs_as_the_limit_says_have_a_slot(slots: Slots, runs: Runs) -> None:
    assert slots.take(GPU, runs.holder("a")) is None
    assert slots.take(GPU, runs.holder("b")) is None
    assert slots.take(GPU, runs.holder("c")) == refuse_slot(GPU, 2)
    assert holders(slots) == {"a-relay-01", "b-relay-01"}


def test_a_slot_that_was_given_back_is_for_the_next(slots: Slots, runs: Runs) -> None:
    for name in ("a", "b"):
        slots.take(GPU, runs.holder(name))
    slots.give_back(GPU, "a-relay-01")
    assert slots.take(GPU, runs.holder("c")) is None
    assert holders(slots) == {"b-relay-01", "c-relay-01"}


def test_a_job_that_has_a_slot_keeps_it_and_takes_no_other(slots: Slots, runs: Runs) -> None:
    a, b = runs.holder("a"), runs.holder("b")
    assert [slots.take(GPU, holder) for holder in (a, a, b, a, b)] == [None] * 5
    slots.give_back(GPU, a)
    assert holders(slots) == {b}


def test_a_slot_is_given_back_once_however_often_it_is_said(slots: Slots, runs: Runs) -> None:
    slots.give_back(GPU, "a-relay-01")
    for name in ("a", "b"):
        slots.take(GPU, runs.holder(name))
    for _ in range(2):
        slots.give_back(GPU, "a-relay-01")
    slots.give_back(GPU, "stranger-relay-01")
    assert holders(slots) == {"b-relay-01"}
    slots.give_back(GPU, "b-relay-01")
    assert holders(slots) == set()
    assert slots.take(GPU, runs.holder("c")) is None


def test_each_instance_type_has_slots_of_its_own(slots: Slots, runs: Runs) -> None:
    slots = with_limits(slots, Limits({GPU: 1, "*": 1}))
    for kind in (GPU, OTHER, "ml.m5.large"):
        assert slots.take(kind, runs.holder("a")) is None
        assert slots.take(kind, runs.holder("b")) == refuse_slot(kind, 1)
    slots.give_back(OTHER, "a-relay-01")
    assert (holders(slots, GPU), holders(slots, OTHER)) == ({"a-relay-01"}, set())


def test_the_limit_of_an_instance_type_is_told(slots: Slots) -> None:
    assert (slots.limit(GPU), slots.limit(OTHER)) == (2, None)


def test_where_there_is_no_limit_everybody_has_a_slot(slots: Slots, runs: Runs) -> None:
    assert [slots.take(OTHER, runs.holder(f"run-{number}")) for number in range(30)] == [None] * 30


def test_where_there_is_no_limit_the_table_is_not_asked(table: DynamoDBSlots) -> None:
    with calls_to(table.client) as calls:
        table.take(OTHER, "a-relay-01")
        table.give_back(OTHER, "a-relay-01")
    assert calls == []


def test_a_slot_that_is_free_costs_one_call_and_looks_up_no_run(table: DynamoDBSlots, runs: Runs) -> None:
    with calls_to(table.client) as calls:
        table.take(GPU, runs.holder("a"))
        table.take(GPU, "a-relay-01")
        table.give_back(GPU, "a-relay-01")
    assert calls == ["UpdateItem"] * 3
    assert runs.asked == []


def test_a_limit_that_is_reached_costs_one_call_and_a_look_at_those_who_have_the_slots(
    table: DynamoDBSlots, runs: Runs
) -> None:
    for name in ("a", "b"):
        table.take(GPU, runs.holder(name))
    with calls_to(table.client) as calls:
        assert table.take(GPU, runs.holder("c")) == refuse_slot(GPU, 2)
    assert calls == ["UpdateItem"]
    assert sorted(runs.asked) == ["a", "b"]


def run_ends(runs: Runs) -> None:
    runs.holder("lost", status=RunStatus.COMPLETED, ended_at=NOON, check_at=None)


def is_forgotten(runs: Runs) -> None:
    del runs.known["lost"]


def is_another_run_by_now(runs: Runs) -> None:
    runs.known["lost"] = replace(a_run("lost", NOON), attempts=())


@pytest.mark.parametrize(
    "over", [run_ends, is_forgotten, lambda runs: runs.attempt_ends("lost"), is_another_run_by_now]
)
def test_a_slot_that_a_crash_has_left_behind_is_found_when_it_is_needed(
    slots: Slots, runs: Runs, over: Callable[[Runs], None]
) -> None:
    for name in ("lost", "b"):
        slots.take(GPU, runs.holder(name))
    over(runs)
    assert slots.take(GPU, runs.holder("c")) is None
    assert holders(slots) == {"b-relay-01", "c-relay-01"}
    assert slots.take(GPU, runs.holder("d")) == refuse_slot(GPU, 2)


def test_a_slot_of_an_attempt_that_has_ended_is_free_though_its_run_goes_on(slots: Slots, runs: Runs) -> None:
    first, second = runs.holder("a"), runs.holder("a", 2)
    runs.attempt_ends("a")
    slots.take(GPU, first)
    slots.take(GPU, second)
    assert slots.take(GPU, runs.holder("b")) is None
    assert holders(slots) == {second, "b-relay-01"}


def test_a_job_that_is_not_created_yet_or_lives_keeps_its_slot(slots: Slots, runs: Runs) -> None:
    for name in ("planned", "lives"):
        slots.take(GPU, runs.holder(name))
    runs.attempt_lives("lives")
    assert slots.take(GPU, runs.holder("c")) == refuse_slot(GPU, 2)
    assert holders(slots) == {"planned-relay-01", "lives-relay-01"}


def test_what_is_no_attempts_name_holds_nothing(slots: Slots, runs: Runs) -> None:
    for name in ("by-hand", "churn-canary-01"):
        slots.take(GPU, name)
    assert slots.take(GPU, runs.holder("a")) is None
    assert holders(slots) == {"a-relay-01"}


def test_a_limit_that_was_lowered_holds_once_enough_jobs_have_ended(slots: Slots, runs: Runs) -> None:
    for name in ("a", "b"):
        slots.take(GPU, runs.holder(name))
    lowered = with_limits(slots, Limits({GPU: 1}))
    assert lowered.take(GPU, "a-relay-01") is None
    for name in ("a", "b"):
        assert lowered.take(GPU, runs.holder("c")) == refuse_slot(GPU, 1)
        lowered.give_back(GPU, f"{name}-relay-01")
    assert lowered.take(GPU, runs.holder("c")) is None


def test_slots_that_were_taken_before_the_limit_was_lifted_and_set_again_are_found_to_be_free(
    slots: Slots, runs: Runs
) -> None:
    for name in ("a", "b"):
        slots.take(GPU, runs.holder(name))
        with_limits(slots, Limits()).give_back(GPU, f"{name}-relay-01")
        runs.attempt_ends(name)
    assert slots.take(GPU, runs.holder("c")) is None
    assert holders(slots) == {"c-relay-01"}


def test_as_many_runs_of_a_template_have_a_place_as_it_allows_until_they_have_ended(slots: Slots, runs: Runs) -> None:
    for name in ("a", "b", "c"):
        runs.holder(name)
    key = "templates/churn.yaml"
    assert [slots.take_place(key, name, 2) for name in ("a", "b", "c", "a")] == [True, True, False, True]
    assert slots.take_place("templates/other.yaml", "c", 2)
    runs.attempt_ends("a")
    assert not slots.take_place(key, "c", 2)
    runs.holder("a", status=RunStatus.FAILED)
    assert slots.take_place(key, "c", 2)
    assert holders(slots, key) == {"b", "c"}


def test_a_place_is_free_whose_run_has_expired_and_a_lower_limit_holds_for_the_next(slots: Slots, runs: Runs) -> None:
    for name in ("a", "b", "c", "d"):
        runs.holder(name)
    assert [slots.take_place("templates/churn.yaml", name, 3) for name in ("a", "b", "c")] == [True] * 3
    del runs.known["a"]
    assert not slots.take_place("templates/churn.yaml", "d", 2)
    assert slots.take_place("templates/churn.yaml", "d", 3)


def test_no_more_runs_are_looked_up_than_a_launch_has_time_for_and_each_has_its_turn(
    table: DynamoDBSlots, runs: Runs
) -> None:
    many = 2 * MAX_LOOKUPS
    table = replace(table, limits=Limits({GPU: many}))
    for number in range(many):
        table.take(GPU, runs.holder(f"run-{number}"))
    ever_asked: set[str] = set()
    for _ in range(40):
        runs.asked.clear()
        assert table.take(GPU, "late-relay-01") == refuse_slot(GPU, many)
        assert len(set(runs.asked)) == len(runs.asked) == MAX_LOOKUPS
        ever_asked |= set(runs.asked)
    assert ever_asked == set(runs.known)


@contextmanager
def before_each_call(slots: DynamoDBSlots, act: Callable[[int], None]) -> Iterator[None]:
    """Let others act before each call to the table, told its number; what they do is not interfered with."""
    calls = 0
    busy = False

    def interfere(**_: Any) -> None:
        nonlocal calls, busy
        if not busy:
            calls, busy = calls + 1, True
            act(calls)
            busy = False

    slots.client.meta.events.register("before-send.dynamodb", interfere)
    try:
        yield
    finally:
        slots.client.meta.events.unregister("before-send.dynamodb", interfere)


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("gone", [0, 1, 2])
def test_of_two_that_take_at_once_no_more_have_a_slot_than_there_are(
    table: DynamoDBSlots, runs: Runs, call: int, gone: int
) -> None:
    for name in ("a", "b"):
        table.take(GPU, runs.holder(name))
    for name in ("a", "b")[:gone]:
        runs.attempt_ends(name)
    got: dict[str, No | None] = {}

    def rival(number: int) -> None:
        if number == call:
            got["rival"] = table.take(GPU, runs.holder("rival"))

    with before_each_call(table, rival):
        got["first"] = table.take(GPU, runs.holder("first"))
    served = {f"{name}-relay-01" for name, no in got.items() if no is None}
    assert len(served) == min(gone, len(got))
    assert served <= holders(table)
    assert len(holders(table)) <= 2


def test_a_run_that_is_resumed_while_its_slot_is_found_to_be_free_keeps_it(table: DynamoDBSlots, runs: Runs) -> None:
    for name in ("resumed", "b"):
        table.take(GPU, runs.holder(name))
    runs.holder("resumed", status=RunStatus.FAILED)

    def resume(number: int) -> None:
        if number == 2:
            assert table.take(GPU, runs.holder("resumed", status=RunStatus.PENDING)) is None

    with before_each_call(table, resume):
        assert table.take(GPU, runs.holder("c")) == refuse_slot(GPU, 2)
    assert holders(table) == {"resumed-relay-01", "b-relay-01"}


NAMES = st.sampled_from("abcdef")
STEPS = st.lists(st.tuples(st.sampled_from(["take", "give back", "end"]), NAMES), max_size=25)


@examples(40, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, limit=st.integers(1, 4))
def test_whatever_is_taken_given_back_and_ended_both_kinds_of_slots_agree(
    aws: FakeAWS, steps: list[tuple[str, str]], limit: int
) -> None:
    aws.moto.forget()
    create_runs_table(aws.client("dynamodb"), TABLE)
    runs, limits = Runs(), Limits({GPU: limit})
    memory = MemorySlots(limits, runs.find)
    table = DynamoDBSlots(aws.client("dynamodb"), TABLE, limits, runs.find)
    for step, name in steps:
        holder = runs.holder(name)
        if step == "take":
            assert memory.take(GPU, holder) == table.take(GPU, holder)
        elif step == "give back":
            memory.give_back(GPU, holder)
            table.give_back(GPU, holder)
        else:
            runs.attempt_ends(name)
        assert holders(memory) == holders(table)
        assert len(holders(table)) <= limit


def test_slots_are_no_run(table: DynamoDBSlots) -> None:
    table.take(GPU, "a-relay-01")
    store = DynamoDBRunStore(table.client, TABLE)
    assert store.load(f"slots#{GPU}") is None
    assert store.page(None, 10, None) == ([], None)
    assert [due.run_id for due in store.list_due(NOON)] == []
