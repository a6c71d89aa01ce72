"""How often to save: the best interval for what saves cost and how often training is interrupted."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay_client.checkpoints import History, choose_interval
from spot_relay_client.checkpoints.history import PRIOR_SECONDS, SHORTEST_SECONDS

HOUR = 3600.0


def expected_seconds(interval: float, save: float, between: float) -> float:
    """Return the expected time for a second of training if interruptions come at random (Daly's complete model)."""
    return between * math.expm1((interval + save) / between) / interval


@given(save=st.floats(0.1, 1800), between=st.floats(600, 500 * HOUR))
def test_no_other_interval_is_noticeably_better_than_the_one_that_is_chosen(save: float, between: float) -> None:
    chosen = choose_interval(save, between)
    best = min(expected_seconds(chosen * 1.02**power, save, between) for power in range(-200, 200))
    assert expected_seconds(chosen, save, between) <= best * (1.005 if save < between / 2 else 1.15)


@pytest.mark.parametrize(("save", "between"), [(10, 2 * HOUR), (1, 10 * HOUR), (60, 24 * HOUR)])
def test_for_short_saves_it_is_close_to_youngs_interval(save: float, between: float) -> None:
    young = math.sqrt(2 * save * between)
    assert young - save < choose_interval(save, between) < young


def test_if_a_save_takes_longer_than_there_ever_is_saving_is_as_rare_as_interruptions() -> None:
    assert choose_interval(7200, 3600) == 3600
    assert choose_interval(7201, 3600) == 3600


def test_the_table_in_the_docs_shows_what_is_chosen_and_what_it_costs() -> None:
    text = (Path(__file__).parents[4] / "docs" / "checkpoints.md").read_text("utf-8")
    rows = re.findall(r"^\| \d+ (?:s|min) \|.*", text, re.MULTILINE)
    written = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    expected = []
    for label, save in (("1 s", 1), ("10 s", 10), ("1 min", 60), ("5 min", 300)):
        between = (HOUR / 2, 2 * HOUR, 12 * HOUR, 48 * HOUR)
        intervals = [(max(SHORTEST_SECONDS, choose_interval(save, each)), each) for each in between]
        costs = [(interval, expected_seconds(interval, save, each) - 1) for interval, each in intervals]
        expected.append([label, *(f"{interval / 60:.1f} min, {100 * cost:.1f} %" for interval, cost in costs)])
    assert written == expected


def test_before_any_save_the_shortest_interval_is_recommended() -> None:
    assert History().interval == SHORTEST_SECONDS


def test_the_interval_follows_from_the_mean_of_the_newest_saves() -> None:
    history = History().save(1000)
    for _ in range(5):
        history = history.save(8).save(12)
    assert history.save_seconds == (8, 12) * 5
    assert history.interval == choose_interval(10, PRIOR_SECONDS) == pytest.approx(372.8, abs=0.1)


def test_it_is_never_shorter_than_the_shortest() -> None:
    assert History().save(0).interval == SHORTEST_SECONDS
    assert History().save(0.01).interval == SHORTEST_SECONDS


def test_a_start_after_one_without_an_end_is_an_interruption() -> None:
    assert History().start().interruptions == 0
    assert History().start().start().start().interruptions == 2
    assert History().start().finish().start().interruptions == 0


def test_what_is_expected_counts_as_one_interruption_and_experience_outweighs_it() -> None:
    assert History().seconds_between_interruptions == PRIOR_SECONDS
    calm = History().start().train(20 * HOUR)
    assert calm.seconds_between_interruptions == PRIOR_SECONDS + 20 * HOUR
    rough = History()
    for _ in range(100):
        rough = rough.start().train(600)
    assert rough.seconds_between_interruptions == pytest.approx(600, rel=0.12)
    assert rough.save(10).interval < calm.save(10).interval / 3


@given(
    st.builds(
        History,
        interruptions=st.integers(0, 10**6),
        trained_seconds=st.floats(0, 1e9),
        save_seconds=st.lists(st.floats(0, 1e6), max_size=10).map(tuple),
        is_running=st.booleans(),
    )
)
def test_a_history_is_read_as_it_was_stored(history: History) -> None:
    assert History.from_json(history.to_json()) == history


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", "{}", '{"version": 2}', '{"version": 1}', '{"version": 1, "interruptions": []}'],
)
def test_what_is_no_history_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"history|Expecting"):
        History.from_json(text)
