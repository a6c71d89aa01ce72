"""The JSON protocol of SageMaker and of CloudWatch Logs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay_client.sagemaker.errors import ServiceError

CONTENT_TYPE: Final = "application/x-amz-json-1.1"


def encode_answer(answer: Mapping[str, Any]) -> bytes:
    """Return the body of an answer."""
    return json.dumps(answer).encode()


def encode_error(error: ServiceError) -> bytes:
    """Return the body of an error."""
    return json.dumps({"__type": error.code, "message": error.message}).encode()
