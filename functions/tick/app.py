"""Puts the runs that are due on the observe queue, once a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from spot_relay import bootstrap
from spot_relay.bootstrap import utc_now
from spot_relay.settings import TickSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
settings = TickSettings.from_env()
runs = bootstrap.create_due_runs(settings)
queue = bootstrap.create_due_queue(settings)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:  # noqa: ARG001 - Lambda's signature
    """Queue a look at every run that is due, or will be before the next tick."""
    now = utc_now()
    queued = queue.put(runs.list_due(now + queue.ahead), now)
    logger.info("due runs are queued", queued=queued)
    return {"queued": queued}
