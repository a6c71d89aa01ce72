"""Batches of SQS messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.utilities.batch.types import BatchTypeModels


class LoggedBatches(BatchProcessor):
    """Hands each message that failed back to its queue, and logs why: Powertools itself keeps that to itself."""

    def __init__(self, logger: Logger) -> None:
        super().__init__(EventType.SQS, raise_on_entire_batch_failure=False)
        self._logger = logger

    def failure_handler(self, record: BatchTypeModels, exception: Any) -> Any:
        """Log a failure and report the message as failed."""
        message = "the message could not be handled; its queue delivers it again"
        self._logger.error(message, exc_info=exception, message_id=getattr(record, "message_id", None))
        return super().failure_handler(record, exception)
