"""Copies of values with some fields changed, and texts as sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spot_relay.domain.sagemaker.job import Job, Market, Placement
from spot_relay.domain.values import as_sentence
from spot_relay.domain.values import replace as changed
from tests.fakes import NOON

JOB = Job("churn-relay-01", "arn", "InProgress", "Training", NOON, NOON, Placement("ml.m5.xlarge", 1, Market.SPOT))


def test_a_copy_has_what_was_changed_and_all_else_as_it_was() -> None:
    assert changed(JOB, status="Stopped", billable_seconds=7) == replace(JOB, status="Stopped", billable_seconds=7)
    assert JOB.status == "InProgress"


def test_a_field_that_was_left_to_the_class_can_be_changed_too() -> None:
    stored = object.__new__(Job)
    stored.__dict__.update({name: value for name, value in vars(JOB).items() if name != "billable_seconds"})
    assert stored == JOB, "as msgspec gives a value whose document lacks a field"
    assert changed(stored, billable_seconds=7, status="Stopped").billable_seconds == 7


def test_what_is_no_field_can_not_be_changed() -> None:
    with pytest.raises(TypeError, match=r"^Job has no field colour, size$"):
        changed(JOB, size=1, colour="red", status="Stopped")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Rate exceeded", "Rate exceeded."),
        ("Rate exceeded.", "Rate exceeded."),
        ("Rate exceeded. ", "Rate exceeded."),
        ("Really?", "Really?"),
        ("No!", "No!"),
        ("cut…", "cut…"),
        ("exit code 1\n", "exit code 1."),
        ("The following failed:", "The following failed."),
        ("a, b, ", "a, b."),
        ('It said "no."', 'It said "no."'),
        ('It said "no"', 'It said "no".'),
        ("(see the log.)", "(see the log.)"),
        ("(exit code 1)", "(exit code 1)."),
        ("失败。", "失败。"),
        ("...", "..."),
        ("", ""),
        (" : ", ""),
    ],
)
def test_a_text_ends_as_a_sentence_does(text: str, sentence: str) -> None:
    assert as_sentence(text) == sentence
