"""The savings of a run."""

from __future__ import annotations

from dataclasses import replace

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.shown.accounting import account_of
from tests.fakes import NOON
from tests.unit.worlds import submission


def test_the_savings_are_the_services_own_formula() -> None:
    run = accept(submission(), "one", NOON)
    attempt = replace(run.current, training_seconds=80, billable_seconds=25)
    assert account_of(run.with_attempt(attempt), NOON).savings_percent == 68.8


def test_a_run_that_never_trained_has_no_savings() -> None:
    assert account_of(accept(submission(), "one", NOON), NOON).savings_percent is None
