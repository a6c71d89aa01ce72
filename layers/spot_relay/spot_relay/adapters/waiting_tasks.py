"""Report the ends of runs to the tasks of Step Functions that wait for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from spot_relay.domain.values import No, dataclass

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# The task has been answered, has timed out, or was never there.
_GONE = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class NotAnsweredError(Exception):
    """Step Functions refused the answer to a task for now. The message does not contain the token."""


@dataclass(frozen=True)
class StepFunctionsTasks:
    """Answers tasks with their tokens."""

    client: SFNClient

    def answer(self, token: str, error: str | None, summary: dict[str, Any]) -> No | None:
        """Send a task its success or its failure; raise NotAnsweredError if Step Functions refuses that for now."""
        text = json.dumps(summary)
        try:
            if error is None:
                self.client.send_task_success(taskToken=token, output=text)
            else:
                self.client.send_task_failure(taskToken=token, error=error, cause=text)
        except ClientError as refused:
            code = refused.response["Error"]["Code"]
            if code in _GONE:
                return No(code)
            # What Step Functions says might repeat the token.
            raise NotAnsweredError(code) from None
        return None
