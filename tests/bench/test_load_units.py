"""What DynamoDB charges, reckoned from what was written and read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.units import Meter, Units, measure_item

KB = 1024
TABLE = "runs"


def item(size: int, name: str = "churn") -> dict[str, Any]:
    """Make an item of that many bytes."""
    made = {"id": {"S": name}, "document": {"S": ""}}
    made["document"]["S"] = "x" * (size - measure_item(made))
    assert measure_item(made) == size
    return made


def put(size: int, name: str = "churn") -> dict[str, Any]:
    return {"TableName": TABLE, "Item": item(size, name)}


def told(units: float) -> dict[str, Any]:
    return {"ConsumedCapacity": {"TableName": TABLE, "CapacityUnits": units}}


def get(*, consistent: bool, name: str = "churn") -> dict[str, Any]:
    return {"TableName": TABLE, "Key": {"id": {"S": name}}, "ConsistentRead": consistent}


def create_meter(*sizes: int) -> Meter:
    """A meter that has seen the item of the run churn written in these sizes."""
    meter = Meter()
    for size in sizes:
        meter.measure_request("PutItem", put(size), 200, told(1))
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
def test_the_size_of_an_attribute_is_that_of_its_name_and_value(value: dict[str, Any], size: int) -> None:
    assert measure_item({"name": value}) == 4 + size


def test_an_unknown_type_of_value_is_an_error() -> None:
    with pytest.raises(ValueError, match="type B"):
        measure_item({"name": {"B": "aGVsbG8="}})


@pytest.mark.parametrize(("size", "units"), [(30, 1), (4 * KB, 1), (4 * KB + 1, 2), (9 * KB, 3)])
def test_a_consistent_read_costs_one_unit_per_started_4_kb_and_other_reads_half(size: int, units: float) -> None:
    meter = create_meter(size)
    assert meter.measure_request("GetItem", get(consistent=True), 200, {}) == Units(read=units)
    assert meter.measure_request("GetItem", get(consistent=False), 200, {}) == Units(read=units / 2)


def test_the_cost_of_a_read_depends_on_the_whole_item_even_if_only_part_of_it_is_requested() -> None:
    asked = get(consistent=True) | {"ProjectionExpression": "document"}
    assert create_meter(9 * KB, 2 * KB).measure_request("GetItem", asked, 200, {"Item": {}}) == Units(read=1)


def test_a_read_that_finds_nothing_costs_one_unit() -> None:
    assert create_meter(9 * KB).measure_request("GetItem", get(consistent=True, name="other"), 200, {}) == Units(read=1)


@pytest.mark.parametrize("operation", ["Query", "Scan"])
def test_a_query_or_scan_is_charged_for_everything_it_reads_as_one_item(operation: str) -> None:
    entries = [item(100, f"run-{number:04d}") for number in range(82)]
    assert Meter().measure_request(operation, {"TableName": TABLE}, 200, {"Items": entries}) == Units(read=1.5)
    assert Meter().measure_request(operation, {"TableName": TABLE}, 200, {"Items": []}) == Units(read=0.5)


def test_the_cost_of_a_write_is_taken_from_the_emulator() -> None:
    assert Meter().measure_request("PutItem", put(KB), 200, told(7)) == Units(write=7)


def test_the_cost_of_a_transaction_is_taken_from_the_emulator_for_all_its_tables() -> None:
    request = {"TransactItems": [{"Put": put(KB)}, {"Put": put(KB, "prefix")}]}
    answer = {"ConsumedCapacity": [{"CapacityUnits": 6}, {"CapacityUnits": 2}]}
    assert Meter().measure_request("TransactWriteItems", request, 200, answer) == Units(write=8)


def test_the_sizes_of_items_written_in_a_transaction_are_known() -> None:
    meter = Meter()
    meter.measure_request(
        "TransactWriteItems", {"TransactItems": [{"Put": put(5 * KB)}]}, 200, {"ConsumedCapacity": []}
    )
    assert meter.measure_request("GetItem", get(consistent=True), 200, {}) == Units(read=2)


def test_a_refused_write_is_charged_for_the_item_it_found_and_changes_no_size() -> None:
    meter = create_meter(3 * KB)
    assert meter.measure_request("PutItem", put(9 * KB), 400, {}) == Units(write=3)
    assert meter.measure_request("GetItem", get(consistent=True), 200, {}) == Units(read=1)


def test_a_refused_transaction_is_charged_double_for_each_of_its_writes_and_checks() -> None:
    check = {"TableName": TABLE, "Key": {"id": {"S": "other"}}, "ConditionExpression": "..."}
    request = {"TransactItems": [{"Put": put(KB)}, {"ConditionCheck": check}]}
    assert create_meter(2 * KB).measure_request("TransactWriteItems", request, 400, {}) == Units(write=6)


def test_an_update_is_charged_and_does_not_change_the_known_size() -> None:
    update = {"TableName": TABLE, "Key": {"id": {"S": "churn"}}, "UpdateExpression": "..."}
    meter = create_meter(5 * KB)
    assert meter.measure_request("UpdateItem", update, 200, told(5)) == Units(write=5)
    assert meter.measure_request("GetItem", get(consistent=True), 200, {}) == Units(read=2)


def test_other_operations_cost_nothing() -> None:
    assert Meter().measure_request("DescribeTable", {"TableName": TABLE}, 200, {}) == Units()


@given(st.integers(min_value=30, max_value=400 * KB))
def test_reading_a_larger_item_is_never_cheaper(size: int) -> None:
    smaller, larger = (
        create_meter(bytes_).measure_request("GetItem", get(consistent=True), 200, {}) for bytes_ in (size, size + 1)
    )
    assert smaller.read <= larger.read <= smaller.read + 1
