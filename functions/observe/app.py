"""Folds into runs what is observed of them: state changes from SageMaker, and due checks from the tick."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from spot_relay import bootstrap
from spot_relay.adapters.inbound import read_observation
from spot_relay.settings import RunSettings

logger = Logger()
service = bootstrap.service(RunSettings.from_env())
processor = bootstrap.batches(logger)


def observe(record: SQSRecord) -> None:
    """Advance the run that a message speaks of; a job that is no run's attempt is left alone."""
    # Kept until the next message, so that the line that tells of a failure names the run, too.
    logger.append_keys(run_id=None)
    observed = read_observation(record.body)
    if observed is not None:
        logger.append_keys(run_id=observed[0])
    if observed is None or service.advance(*observed) is None:
        logger.info("the event is about no run of this stack")


@logger.inject_lambda_context(log_event=False)  # whatever the environment says: events hold secrets
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Fold a batch of observations into their runs."""
    return process_partial_response(event, record_handler=observe, processor=processor, context=context)
