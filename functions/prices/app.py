"""Refreshes the stack's price list, once a week. Runs that are submitted from then on use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from spot_relay import bootstrap
from spot_relay.bootstrap import utc_now
from spot_relay.settings import PriceSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
settings = PriceSettings.from_env()
source = bootstrap.create_price_source(settings)
price_list = bootstrap.create_price_list(settings.table)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Replace the stack's price list. If prices cannot be read, the old list stays and the invocation fails."""
    found = source.fetch(utc_now())
    price_list.write(found)
    count = len(found.by_instance_type)
    logger.info("the price list is refreshed", source=found.source, instance_types=count)
    return {"source": found.source, "instance_types": count}
