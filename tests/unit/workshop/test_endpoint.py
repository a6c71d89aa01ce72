"""What counts as an answer of the endpoint that has DeepAR's model."""

from __future__ import annotations

from workshop.endpoint import judge


def test_a_forecast_of_every_hour_is_an_answer_and_says_how_far_it_is_off() -> None:
    outcome = judge({"predictions": [{"mean": [9.0, 11.0]}, {"mean": [20.0, 22.0]}]}, [[10.0, 10.0], [20.0, 20.0]])
    assert outcome.answered
    assert "2 customers, off by 7% on average" in outcome.reason


def test_a_forecast_that_is_too_short_or_lacks_a_customer_is_no_answer() -> None:
    wanted = [[10.0, 10.0], [20.0, 20.0]]
    assert not judge({"predictions": [{"mean": [9.0]}, {"mean": [20.0, 22.0]}]}, wanted).answered
    assert not judge({"predictions": [{"mean": [9.0, 11.0]}]}, wanted).answered
