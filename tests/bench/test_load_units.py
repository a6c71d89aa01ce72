"""What DynamoDB charges, reckoned from what was written and read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.units import Meter, Units, item_bytes

KB = 1024
TABLE = "runs"


def item(size: int, name: str = "churn") -> dict[str, Any]:
    """Make an item of that many bytes."""
    made = {"id": {"S": name}, "document": {"S": ""}}
    made["document"]["S"] = "x" * (size - item_bytes(made))
    assert item_bytes(made) == size
    return made


def put(size: int, name: str = "churn") -> dict[str, Any]:
    return {"TableName": TABLE, "Item": item(size, name)}


def told(units: float) -> dict[str, Any]:
    return {"ConsumedCapacity": {"TableName": TABLE, "CapacityUnits": units}}


def get(*, consistent: bool, name: str = "churn") -> dict[str, Any]:
    return {"TableName": TABLE, "Key": {"id": {"S": name}}, "ConsistentRead": consistent}


def metered(*sizes: int) -> Meter:
    """A meter that has seen the item of the run churn written in these sizes."""
    meter = Meter()
    for size in sizes:
        meter.units("PutItem", put(size), 200, told(1))
    return meter


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "four"}, 4),
        ({"S": "é"}, 2),
        ({"N": "1"}, 2),
        ({"N": "1795579928"}, 7),
        ({"N": "-12.5"}, 3),
        ({"SS": ["a", "bc"]}, 3),
        ({"BOOL": True}, 1),
    ],
)
def test_an_attribute_is_as_large_as_its_name_and_its_value(value: dict[str, Any], size: int) -> None:
    assert item_bytes({"name": value}) == 4 + size


def test_a_kind_of_value_that_no_item_of_ours_has_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="kind B"):
        item_bytes({"name": {"B": "aGVsbG8="}})


@pytest.mark.parametrize(("size", "units"), [(30, 1), (4 * KB, 1), (4 * KB + 1, 2), (9 * KB, 3)])
def test_a_consistent_read_costs_a_unit_for_each_4_kb_begun_and_another_half_of_it(size: int, units: float) -> None:
    meter = metered(size)
    assert meter.units("GetItem", get(consistent=True), 200, {}) == Units(read=units)
    assert meter.units("GetItem", get(consistent=False), 200, {}) == Units(read=units / 2)


def test_a_read_costs_by_the_whole_item_as_it_was_written_last_whatever_of_it_is_asked_for() -> None:
    asked = get(consistent=True) | {"ProjectionExpression": "document"}
    assert metered(9 * KB, 2 * KB).units("GetItem", asked, 200, {"Item": {}}) == Units(read=1)


def test_a_read_that_finds_nothing_costs_a_unit() -> None:
    assert metered(9 * KB).units("GetItem", get(consistent=True, name="other"), 200, {}) == Units(read=1)


@pytest.mark.parametrize("operation", ["Query", "Scan"])
def test_a_query_or_a_scan_is_charged_for_all_that_it_reads_as_for_one_item(operation: str) -> None:
    entries = [item(100, f"run-{number:04d}") for number in range(82)]
    assert Meter().units(operation, {"TableName": TABLE}, 200, {"Items": entries}) == Units(read=1.5)
    assert Meter().units(operation, {"TableName": TABLE}, 200, {"Items": []}) == Units(read=0.5)


def test_a_write_costs_what_the_emulator_says() -> None:
    assert Meter().units("PutItem", put(KB), 200, told(7)) == Units(write=7)


def test_a_transaction_costs_what_the_emulator_says_of_all_its_tables() -> None:
    request = {"TransactItems": [{"Put": put(KB)}, {"Put": put(KB, "prefix")}]}
    answer = {"ConsumedCapacity": [{"CapacityUnits": 6}, {"CapacityUnits": 2}]}
    assert Meter().units("TransactWriteItems", request, 200, answer) == Units(write=8)


def test_what_a_transaction_has_written_is_read_at_its_size() -> None:
    meter = Meter()
    meter.units("TransactWriteItems", {"TransactItems": [{"Put": put(5 * KB)}]}, 200, {"ConsumedCapacity": []})
    assert meter.units("GetItem", get(consistent=True), 200, {}) == Units(read=2)


def test_a_refused_write_is_charged_by_the_item_that_it_found_and_changes_no_size() -> None:
    meter = metered(3 * KB)
    assert meter.units("PutItem", put(9 * KB), 400, {}) == Units(write=3)
    assert meter.units("GetItem", get(consistent=True), 200, {}) == Units(read=1)


def test_a_refused_transaction_is_charged_twice_for_each_of_its_writes_and_checks() -> None:
    check = {"TableName": TABLE, "Key": {"id": {"S": "other"}}, "ConditionExpression": "..."}
    request = {"TransactItems": [{"Put": put(KB)}, {"ConditionCheck": check}]}
    assert metered(2 * KB).units("TransactWriteItems", request, 400, {}) == Units(write=6)


def test_an_update_is_charged_and_leaves_the_size_that_is_known() -> None:
    update = {"TableName": TABLE, "Key": {"id": {"S": "churn"}}, "UpdateExpression": "..."}
    meter = metered(5 * KB)
    assert meter.units("UpdateItem", update, 200, told(5)) == Units(write=5)
    assert meter.units("GetItem", get(consistent=True), 200, {}) == Units(read=2)


def test_what_is_no_read_and_no_write_costs_nothing() -> None:
    assert Meter().units("DescribeTable", {"TableName": TABLE}, 200, {}) == Units()


@given(st.integers(min_value=30, max_value=400 * KB))
def test_no_read_is_cheaper_for_a_larger_item(size: int) -> None:
    smaller, larger = (metered(bytes_).units("GetItem", get(consistent=True), 200, {}) for bytes_ in (size, size + 1))
    assert smaller.read <= larger.read <= smaller.read + 1
