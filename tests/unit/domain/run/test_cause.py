"""Why an attempt was planned."""

from __future__ import annotations

import pytest

from spot_relay.domain.decide.launch_answers import _WHY
from spot_relay.domain.rules.after_end import ENDS, Then
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.sagemaker.ending import Outcome

# A job that Spot Relay itself has stopped, to switch markets, is followed, too.
FOLLOWED = [outcome for outcome, end in ENDS.items() if end.then is Then.RELAUNCH or outcome is Outcome.STOPPED]


@pytest.mark.parametrize("outcome", FOLLOWED)
def test_the_cause_of_an_attempt_that_follows_an_end_has_the_name_of_that_end(outcome: Outcome) -> None:
    assert Cause.of_end(outcome).value == outcome.value


@pytest.mark.parametrize("outcome", [None, *(Outcome(o) for o in Outcome if o not in FOLLOWED)])
def test_an_end_that_nothing_follows_is_as_good_as_an_unknown_one(outcome: Outcome | None) -> None:
    assert Cause.of_end(outcome) is Cause.UNKNOWN_FAILURE


def test_each_cause_has_words_of_its_own() -> None:
    assert _WHY.keys() == set(Cause)
    assert len(set(_WHY.values())) == len(Cause)
