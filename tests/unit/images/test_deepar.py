"""DeepAR's series are read and cut into windows, and its forecasts continue them, in NumPy alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from examples.images.deepar.forecast import Model
from examples.images.deepar.likelihoods import LIKELIHOODS
from examples.images.deepar.series import Frequency, Series, SeriesError, read_series
from tests.unit.images.untrained import random_model

if TYPE_CHECKING:
    from pathlib import Path

HOURLY = Frequency.of("H")


def counting(length: int, start: str = "2014-01-01 00:00:00") -> Series:
    """Return a series whose values are 1, 2, 3 and so on."""
    return Series(start, np.arange(1.0, length + 1))


def test_series_are_read_from_json_lines_and_may_have_missing_values(tmp_path: Path) -> None:
    lines = [
        {"start": "2014-01-01", "target": [1, None, "NaN", 2.5]},
        {"start": "2014-01-02", "target": [], "cat": [1]},
    ]
    (tmp_path / "train.json").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    first, second = read_series([tmp_path / "train.json"])
    assert first.start == "2014-01-01"
    assert np.array_equal(first.target, [1, np.nan, np.nan, 2.5], equal_nan=True)
    assert len(second.target) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "train.json, line 1, is not JSON"),
        ('{"target": [1]}', "train.json, line 1, is not a time series with start and target: KeyError"),
        ('{"start": "2014-01-01", "target": ["x"]}', "could not convert string to float"),
        ("[]", "is not a time series"),
    ],
)
def test_a_line_that_is_no_series_is_refused_with_its_place(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "train.json").write_text(line)
    with pytest.raises(SeriesError, match=message):
        read_series([tmp_path / "train.json"])


def test_a_window_has_its_values_and_those_of_a_day_and_a_week_before() -> None:
    window = counting(400).window(200, 3, HOURLY)
    assert window.target.tolist() == [201, 202, 203]
    assert window.lagged.tolist() == [[201 - 24, 201 - 168], [202 - 24, 202 - 168], [203 - 24, 203 - 168]]


def test_what_is_before_the_series_or_after_it_is_missing() -> None:
    early, late = counting(10).window(-2, 4, HOURLY), counting(10).window(8, 4, HOURLY)
    assert np.array_equal(early.target, [np.nan, np.nan, 1, 2], equal_nan=True)
    assert np.array_equal(late.target, [9, 10, np.nan, np.nan], equal_nan=True)
    assert np.isnan(late.lagged).all()
    assert late.times.shape == (4, 3)


def test_the_times_are_those_of_the_values() -> None:
    noon_on_monday = HOURLY.features("2014-01-06 12:00:00", 0, 1)[0]
    assert noon_on_monday == pytest.approx([720 / 1439 - 0.5, 0 / 6 - 0.5, 0 / 11 - 0.5])
    assert Frequency.of("M").features("2014-11-01", 0, 3)[:, 2] == pytest.approx([10 / 11 - 0.5, 0.5, -0.5])
    assert Frequency.of("2H").features("2014-01-06", 0, 2)[1] == pytest.approx(HOURLY.features("2014-01-06", 2, 1)[0])


def test_a_window_in_the_middle_has_the_times_of_its_place() -> None:
    whole = counting(100).window(-5, 105, HOURLY)
    assert np.array_equal(counting(100).window(-2, 4, HOURLY).times, whole.times[3:7])
    assert np.array_equal(counting(100).window(30, 10, HOURLY).times, whole.times[35:45])


@pytest.mark.parametrize("text", ["h", "", "5", "1Y", "H2"])
def test_an_unknown_frequency_is_refused(text: str) -> None:
    with pytest.raises(SeriesError, match=r"time_freq is .*, but must be M, W, D, H or min"):
        Frequency.of(text)


def test_the_network_sees_the_values_before_each_one_divided_by_the_scale() -> None:
    window = counting(400).window(200, 3, HOURLY)
    scale = window.scale(2)
    assert scale == pytest.approx(201.5)
    inputs = window.inputs(scale)
    assert inputs[:, 1] == pytest.approx(np.array([177, 178, 179]) / scale)
    assert inputs[1:, 0] == pytest.approx(np.array([201, 202]) / scale)
    assert not np.isnan(inputs).any()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_forecasts_have_the_length_asked_for_and_are_repeatable(likelihood: str) -> None:
    model = random_model(likelihood)
    samples = [model.sample(counting(50), 7, np.random.default_rng(3)) for _ in range(2)]
    assert samples[0].shape == (7, 4)
    assert np.isfinite(samples[0]).all()
    assert np.array_equal(samples[0], samples[1])


def test_forecasts_scale_with_the_series() -> None:
    small, large = (Series("2014-01-01", np.arange(1.0, 51) * factor) for factor in (1, 1000))
    model = random_model()
    model.weights["kernel_0"][-1] = 0.0  # the network does not look at the scale itself
    of_small, of_large = (model.sample(each, 5, np.random.default_rng(3)) for each in (small, large))
    assert of_large == pytest.approx(of_small * 1000)


def test_a_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    model = random_model("student-T")
    for name, content in model.to_files().items():
        (tmp_path / name).write_bytes(content)
    again = Model.read(tmp_path)
    forecasts = [each.predict(counting(50), 5, (0.1, 0.9), np.random.default_rng(3)) for each in (model, again)]
    assert forecasts[0] == forecasts[1]
    assert set(forecasts[0]["quantiles"]) == {"0.1", "0.9"}
    assert len(forecasts[0]["mean"]) == 4
