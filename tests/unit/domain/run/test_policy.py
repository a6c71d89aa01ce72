"""The parts of a policy."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.run.policy import Backoff


@given(st.integers(0, 60), st.floats(0, 0.999))
def test_a_backoff_is_never_negative_and_never_above_its_bound(failures: int, draw: float) -> None:
    assert 0 <= Backoff(30, 900).seconds(failures, draw) < 900
