"""What a decision is made on is clean: of a bounded size, and without what cannot be seen."""

from __future__ import annotations

import pytest

from spot_relay.domain.decide.facts import Facts, clean_facts
from spot_relay.domain.run.observation import CanaryChanged, CanaryCreated, Due, JobChanged, Launched
from spot_relay.domain.sagemaker.job import Absent, Checkpoint, Job, Market, Placement, Transition
from tests.fakes import NOON

SPOT = Placement("ml.m5.xlarge", 1, Market.SPOT)
HIDDEN = "\x1b[31mred\x00"


def cut(most_bytes: int) -> str:
    return f"{'x' * (most_bytes - 3)}…"


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        (HIDDEN, ("red", "red")),
        ("x" * 5000, (cut(64), cut(1024))),
        ("x" * 64, ("x" * 64, "x" * 64)),
        ("", ("", "")),
    ],
    ids=["a colour", "long", "short enough", "empty"],
)
def test_texts_are_cleaned_and_shortened_wherever_they_came_from(given: str, clean: tuple[str, str]) -> None:
    def facts(status: str, text: str) -> Facts:
        job = Job("job", text, status, status, NOON, NOON, SPOT, HIDDEN, model_artifacts=text)
        event = JobChanged(1, status, status, NOON)
        return Facts(event, job, Checkpoint(text, NOON, 7), job)

    assert clean_facts(facts(given, given)) == facts(*clean)


@pytest.mark.parametrize(("given", "clean"), [(HIDDEN, "red"), ("x" * 1025, cut(1024)), ("x" * 1024, "x" * 1024)])
def test_the_arns_in_answers_are_cleaned_and_shortened(given: str, clean: str) -> None:
    assert clean_facts(Facts(Launched(1, given))) == Facts(Launched(1, clean))
    assert clean_facts(Facts(CanaryCreated(1, given))) == Facts(CanaryCreated(1, clean))


def test_texts_in_which_a_secret_may_be_hidden_are_left_as_they_are() -> None:
    job = Job("job", "arn", "Failed", "Failed", NOON, NOON, SPOT, HIDDEN, transitions=(Transition(HIDDEN, NOON),))
    facts = Facts(CanaryChanged(1, "Failed"), job, unlisted=HIDDEN, undescribed=HIDDEN)
    assert clean_facts(facts) == facts


def test_facts_that_are_missing_stay_so() -> None:
    facts = Facts(Due(), Absent())
    assert clean_facts(facts) == facts
