"""A price file is read as it is meant, or refused with the names of the fields that are wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.run.prices import Price, PriceList, UnusablePricesError, read_prices
from spot_relay.domain.sagemaker.job import Market
from tests.fakes import NOON


def refusal(text: str) -> str:
    with pytest.raises(UnusablePricesError) as caught:
        read_prices(text)
    return str(caught.value)


def refusal_of(entry: Any, name: str = "ml.p3.2xlarge") -> str:
    return refusal(json.dumps({"prices": {name: entry}}))


def test_a_price_file_tells_prices_by_instance_type_and_of_spot_where_it_knows_them() -> None:
    entries = {"ml.p3.2xlarge": {"on_demand_usd": 3.825, "spot_usd": 1.15}, "ml.m5.xlarge": {"on_demand_usd": 1}}
    assert read_prices(json.dumps({"prices": entries})) == {
        "ml.p3.2xlarge": Price(3.825, 1.15),
        "ml.m5.xlarge": Price(1.0),
    }


@pytest.mark.parametrize(
    "text",
    [
        *("", "prices:", "{", '{"prices": {"ml.p3.2xlarge": {"on_demand_usd": 3,825}}}'),
        *("[" * 100_000, '{"prices": ' + "9" * 5000 + "}", "\ufeff{}"),
    ],
    ids=lambda text: text.lstrip("\ufeff")[:40] or "nothing",
)
def test_a_text_that_is_no_json_is_refused(text: str) -> None:
    assert "no JSON" in refusal(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", "found: list"),
        ("{}", "found: nothing"),
        ('{"ml.p3.2xlarge": {"on_demand_usd": 3.825}}', "found: ml.p3.2xlarge"),
        ('{"prices": {}, "currency": "EUR"}', "found: currency, prices"),
    ],
)
def test_anything_but_an_object_with_prices_alone_is_refused(text: str, found: str) -> None:
    assert refusal(text) == f'write one object with the key "prices" alone; {found}'


@pytest.mark.parametrize("listed", ["null", "{}", "[]", "3.8"])
def test_a_file_without_a_price_is_refused(listed: str) -> None:
    assert f"prices is {listed}; write an object" in refusal(f'{{"prices": {listed}}}')


@pytest.mark.parametrize(
    "text",
    [
        '{"prices": {}, "prices": {}}',
        '{"prices": {"prices": {}, "prices": {}}}',
        '{"currency": "USD", "prices": {}, "prices": {}}',
    ],
)
def test_what_is_there_twice_is_refused(text: str) -> None:
    assert refusal(text) == "prices is there twice; keep one of them"


@pytest.mark.parametrize("name", ["p3.2xlarge", "ml.p3", "ML.p3.2xlarge", "ml.p3.2xlarge ", ""])
def test_a_name_that_is_no_instance_type_is_refused(name: str) -> None:
    assert refusal_of({"on_demand_usd": 3.8}, name) == (
        f"prices.{name} is no instance type of SageMaker; write one such as ml.p3.2xlarge"
    )


@pytest.mark.parametrize("entry", [3.825, None, [], "3.825"])
def test_a_price_alone_is_refused_with_how_to_write_it(entry: Any) -> None:
    assert refusal_of(entry) == (
        f'prices.ml.p3.2xlarge is {json.dumps(entry)}; write an object such as {{"on_demand_usd": 3.825}}'
    )


@pytest.mark.parametrize("key", ["on_demand_usd", "spot_usd"])
@pytest.mark.parametrize("value", [0, -1, "3.825", True, None, [3.8], 10_001, float("nan"), float("inf")])
def test_what_is_no_price_is_named_with_what_it_is(key: str, value: Any) -> None:
    assert refusal_of({"on_demand_usd": 3.8, key: value}).startswith(
        f"prices.ml.p3.2xlarge.{key} is {json.dumps(value)}; write a number above 0, to 10000: USD"
    )


def test_the_highest_price_is_one() -> None:
    assert read_prices('{"prices": {"ml.p3.2xlarge": {"on_demand_usd": 10000}}}') == {"ml.p3.2xlarge": Price(10_000.0)}


def test_a_missing_or_unknown_field_is_named() -> None:
    assert refusal_of({"spot_usd": 1.15}).startswith("prices.ml.p3.2xlarge.on_demand_usd is missing; ")
    assert refusal_of({"on_demand_usd": 3.8, "spot": 1.15}) == (
        "prices.ml.p3.2xlarge.spot is not known; there are on_demand_usd and spot_usd"
    )


def test_a_spot_price_above_that_of_on_demand_is_refused() -> None:
    assert refusal_of({"on_demand_usd": 1.15, "spot_usd": 3.825}) == (
        "prices.ml.p3.2xlarge.spot_usd is 3.825, above on_demand_usd (1.15); check both"
    )
    assert read_prices('{"prices": {"ml.p3.2xlarge": {"on_demand_usd": 1, "spot_usd": 1}}}')


def test_every_problem_of_a_file_is_told_at_once() -> None:
    told = refusal('{"prices": {"p3": {"on_demand_usd": 0, "spot_usd": -1}, "ml.m5.xlarge": {}}}')
    assert [part.partition(" ")[0] for part in told.split("; ")[::2]] == [
        "prices.p3",
        "prices.p3.on_demand_usd",
        "prices.p3.spot_usd",
        "prices.ml.m5.xlarge.on_demand_usd",
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["prices", "ml.p3.2xlarge", "on_demand_usd", "spot_usd", ""]), inner, max_size=4
            )
        ),
    )
)
def test_any_json_is_read_or_refused(document: Any) -> None:
    try:
        found = read_prices(json.dumps(document))
    except UnusablePricesError:
        return
    assert list(found) == ["ml.p3.2xlarge"]
    assert found["ml.p3.2xlarge"].on_demand_usd > 0


def test_a_spot_price_that_is_not_known_counts_as_that_of_on_demand() -> None:
    assert Price(3.6, 1.2).usd_per_hour(Market.SPOT) == 1.2
    assert Price(3.6, 1.2).usd_per_hour(Market.ON_DEMAND) == 3.6
    assert Price(3.6).usd_per_hour(Market.SPOT) == 3.6


def test_a_list_is_cut_to_the_instance_types_that_are_asked_for() -> None:
    both = PriceList("a list", NOON, {"ml.m5.xlarge": Price(0.24), "ml.p3.2xlarge": Price(3.6)})
    assert both.only(["ml.p3.2xlarge", "ml.c5.xlarge"]) == PriceList("a list", NOON, {"ml.p3.2xlarge": Price(3.6)})
