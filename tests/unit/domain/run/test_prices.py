"""A price file is read, or refused with every field that is wrong."""

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


def test_a_price_file_has_prices_by_instance_type_with_optional_spot_prices() -> None:
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
def test_a_text_that_is_not_json_is_refused(text: str) -> None:
    assert refusal(text).startswith("The text is not JSON: ")


def test_the_refusal_of_a_text_that_is_not_json_says_where() -> None:
    why = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    assert refusal("{") == f"The text is not JSON: {why}"


@pytest.mark.parametrize(("length", "shown"), [(60, 60), (61, 60), (90, 60)])
def test_of_a_long_name_or_value_only_the_beginning_is_shown(length: int, shown: int) -> None:
    text, seen = "x" * length, "x" * shown
    only = 'Expected an object with only the key "prices", but found'
    assert refusal(json.dumps({text: {}})) == f"{only} {seen}."
    assert refusal(f'{{"{text}": 1, "{text}": 2}}') == f"{seen} appears twice. Remove one."
    quoted = json.dumps("x" * (length - 2))
    assert refusal(f'{{"prices": {quoted}}}').startswith(f"prices: Found {quoted[:60]}. Write an object with an entry ")
    assert refusal_of({"on_demand_usd": 3.8}, text).startswith(f"prices.{seen}: The name ")
    unknown = refusal_of({"on_demand_usd": 3.8, text: 1})
    assert unknown == f"prices.ml.p3.2xlarge.{seen}: Unknown key. Known keys are on_demand_usd and spot_usd."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", "list"),
        ("{}", "an empty object"),
        ('{"ml.p3.2xlarge": {"on_demand_usd": 3.825}}', "ml.p3.2xlarge"),
        ('{"prices": {}, "currency": "EUR"}', "currency, prices"),
    ],
)
def test_anything_but_an_object_with_only_prices_is_refused(text: str, found: str) -> None:
    assert refusal(text) == f'Expected an object with only the key "prices", but found {found}.'


@pytest.mark.parametrize("listed", ["null", "{}", "[]", "3.8"])
def test_a_file_without_a_price_is_refused(listed: str) -> None:
    refused = refusal(f'{{"prices": {listed}}}')
    assert refused == f"prices: Found {listed}. Write an object with an entry for each instance type."


@pytest.mark.parametrize(
    "text",
    [
        '{"prices": {}, "prices": {}}',
        '{"prices": {"prices": {}, "prices": {}}}',
        '{"currency": "USD", "prices": {}, "prices": {}}',
    ],
)
def test_a_repeated_key_is_refused(text: str) -> None:
    assert refusal(text) == "prices appears twice. Remove one."


@pytest.mark.parametrize("name", ["p3.2xlarge", "ml.p3", "ML.p3.2xlarge", "ml.p3.2xlarge ", ""])
def test_a_name_that_is_not_an_instance_type_is_refused(name: str) -> None:
    assert refusal_of({"on_demand_usd": 3.8}, name) == (
        f"prices.{name}: The name is not a SageMaker instance type. Use a name such as ml.p3.2xlarge."
    )


@pytest.mark.parametrize("entry", [3.825, None, [], "3.825"])
def test_a_bare_price_is_refused_with_an_example(entry: Any) -> None:
    assert refusal_of(entry) == (
        f'prices.ml.p3.2xlarge: Found {json.dumps(entry)}. Write an object such as {{"on_demand_usd": 3.825}}.'
    )


@pytest.mark.parametrize("key", ["on_demand_usd", "spot_usd"])
@pytest.mark.parametrize("value", [0, -1, "3.825", True, None, [3.8], 10_001, float("nan"), float("inf")])
def test_an_invalid_price_is_refused_and_shown(key: str, value: Any) -> None:
    assert refusal_of({"on_demand_usd": 3.8, key: value}) == (
        f"prices.ml.p3.2xlarge.{key}: Found {json.dumps(value)}. Use a number above 0, up to 10000 USD per hour."
    )


def test_the_highest_price_and_one_of_a_cent_are_accepted() -> None:
    assert read_prices('{"prices": {"ml.p3.2xlarge": {"on_demand_usd": 10000}}}') == {"ml.p3.2xlarge": Price(10_000.0)}
    assert read_prices('{"prices": {"ml.t3.medium": {"on_demand_usd": 0.01}}}') == {"ml.t3.medium": Price(0.01)}


def test_a_missing_or_unknown_key_is_refused() -> None:
    assert refusal_of({"spot_usd": 1.15}) == (
        "prices.ml.p3.2xlarge.on_demand_usd: This key is required. Add the price per instance and hour in USD."
    )
    assert refusal_of({"on_demand_usd": 3.8, "spot": 1.15, "market": "any"}) == (
        "prices.ml.p3.2xlarge.market: Unknown key. Known keys are on_demand_usd and spot_usd. "
        "prices.ml.p3.2xlarge.spot: Unknown key. Known keys are on_demand_usd and spot_usd."
    )


def test_a_spot_price_above_the_on_demand_price_is_refused() -> None:
    assert refusal_of({"on_demand_usd": 1.15, "spot_usd": 3.825}) == (
        "prices.ml.p3.2xlarge.spot_usd: Found 3.825, which is more than on_demand_usd (1.15). Correct one of them."
    )
    assert read_prices('{"prices": {"ml.p3.2xlarge": {"on_demand_usd": 1, "spot_usd": 1}}}')


def test_all_problems_of_a_file_are_reported_at_once() -> None:
    entries = {"p3": {"on_demand_usd": 0, "spot_usd": -1}, "ml.m5.xlarge": {}, "ml.p3.2xlarge": 3}
    problems = (
        "prices.p3: The name is not a SageMaker instance type. Use a name such as ml.p3.2xlarge.",
        "prices.p3.on_demand_usd: Found 0. Use a number above 0, up to 10000 USD per hour.",
        "prices.p3.spot_usd: Found -1. Use a number above 0, up to 10000 USD per hour.",
        "prices.ml.m5.xlarge.on_demand_usd: This key is required. Add the price per instance and hour in USD.",
        'prices.ml.p3.2xlarge: Found 3. Write an object such as {"on_demand_usd": 3.825}.',
    )
    assert refusal(json.dumps({"prices": entries})) == " ".join(problems)


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


def test_an_unknown_spot_price_counts_as_the_on_demand_price() -> None:
    assert Price(3.6, 1.2).usd_per_hour(Market.SPOT) == 1.2
    assert Price(3.6, 1.2).usd_per_hour(Market.ON_DEMAND) == 3.6
    assert Price(3.6).usd_per_hour(Market.SPOT) == 3.6


def test_a_list_can_be_reduced_to_some_instance_types() -> None:
    both = PriceList("a list", NOON, {"ml.m5.xlarge": Price(0.24), "ml.p3.2xlarge": Price(3.6)})
    assert both.only(["ml.p3.2xlarge", "ml.c5.xlarge"]) == PriceList("a list", NOON, {"ml.p3.2xlarge": Price(3.6)})
