"""Advances runs: on state changes from SageMaker, on due checks from the tick, and when room is freed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from spot_relay import bootstrap
from spot_relay.adapters.inbound import handle_messages, is_repeated, read_observation
from spot_relay.ports import UnansweredError
from spot_relay.settings import RunSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
settings = RunSettings.from_env()
service = bootstrap.create_service(settings, observes=True)
delayed_copies = bootstrap.create_delayed_copies(settings)


def observe(body: str) -> None:
    """Advance the run that a message is about; ignore a message about a job that belongs to no run."""
    # The key stays until the next message, so that the log line of a failure names the run as well.
    logger.append_keys(run_id=None)
    observed = read_observation(body)
    if observed is not None:
        logger.append_keys(run_id=observed[0])
    try:
        known = observed is not None and service.advance(*observed) is not None
    except UnansweredError as error:
        logger.warning("SageMaker did not answer; looking again later", because=str(error))
        if observed is not None and not is_repeated(observed[1]):
            delayed_copies.put_off(body, service.draw())
        return
    if not known:
        logger.info("the event is about no run of this stack")


@logger.inject_lambda_context(log_event=False)  # not even if POWERTOOLS_LOGGER_LOG_EVENT is set: events hold secrets
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Fold a batch of observations into their runs."""
    return handle_messages(event, observe, logger)
