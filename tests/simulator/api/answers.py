"""What the tests of the API check of answers and refusals."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.model import ServiceModel


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    """Make a call that is refused; return the code and the message."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@cache
def api_model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("sagemaker")


def check_against_model(operation: str, answer: Any) -> None:
    """Check an answer that botocore has parsed against its own model."""
    model = api_model().operation_model(operation)
    body = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    shape = model.output_shape
    assert shape is not None
    report = ParamValidator().validate(body, shape)
    assert not report.has_errors(), report.generate_report()
