"""What a run may cost, held against its money budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.domain.job import Placement
    from spot_relay.domain.run import Run


def unaffordable(run: Run, placement: Placement, now: datetime) -> str | None:
    """Say why the run may not pay for another attempt in the placement, or None if it may."""
    return None if run.policy.budgets.money_usd is None else f"no price is known for {placement.instance_type} ({now})"
