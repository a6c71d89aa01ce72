"""Ask the endpoint to which DeepAR's run has deployed its model for a forecast."""

from __future__ import annotations

import json
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from embedded.patience import give_time
from workshop.electricity import PREDICTED, build_electricity
from workshop.outcome import EndpointOutcome

if TYPE_CHECKING:
    from embedded.stack import Stack
    from workshop.outcome import RowOutcome

RUN: Final = "deepar-electricity"
CUSTOMERS: Final = 5
LIMIT_SECONDS: Final = 60
LOOK_EVERY_SECONDS: Final = 1


def ask(stack: Stack, row: RowOutcome) -> EndpointOutcome:
    """Wait until the row's run has deployed its model, and ask the endpoint for the last days of a few customers."""
    if row.status != "Completed":
        return EndpointOutcome(answered=False, reason=f"The run that would deploy it is {row.status}.")
    deployment = _await_deployment(stack, row.run)
    if deployment["status"] != "Succeeded":
        reason = f"Its deployment is {deployment['status']}: {deployment['reason']}"
        return EndpointOutcome(answered=False, reason=reason)
    known, wanted = _split_series()
    request = {"instances": known, "configuration": {"output_types": ["mean"], "num_samples": 50}}
    try:
        answer = stack.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=deployment["endpoint"], ContentType="application/json", Body=json.dumps(request)
        )
    except ClientError as error:
        return EndpointOutcome(answered=False, reason=str(error))
    return judge(json.loads(answer["Body"].read()), wanted)


def _await_deployment(stack: Stack, run: str) -> dict[str, Any]:
    """Return what the run says about its deployment once it has ended, or what it says when the time is up."""
    looking = Retrying(
        stop=stop_after_delay(give_time(LIMIT_SECONDS)),
        wait=wait_fixed(LOOK_EVERY_SECONDS),
        retry=retry_if_result(lambda deployment: deployment["settled_at"] is None),
        retry_error_callback=lambda last: last.outcome.result() if last.outcome else {},
    )
    deployment: dict[str, Any] = looking(lambda: stack.api.show(run)["hosting"]["deploy"])
    return deployment


def judge(answer: dict[str, Any], wanted: list[list[float]]) -> EndpointOutcome:
    """Return whether an answer has a forecast for every customer, and how far it is off from what they really used."""
    forecasts = [prediction["mean"] for prediction in answer["predictions"]]
    if [len(forecast) for forecast in forecasts] != [len(used) for used in wanted]:
        return EndpointOutcome(answered=False, reason=f"Its answer has other lengths than {PREDICTED} hours.")
    pairs = list(zip(chain(*forecasts), chain(*wanted), strict=True))
    off = sum(abs(expected - used) for expected, used in pairs) / sum(used for _, used in pairs)
    return EndpointOutcome(
        answered=True,
        reason=f"It forecast {PREDICTED} hours for each of {len(wanted)} customers, off by {off:.0%} on average.",
    )


def _split_series() -> tuple[list[dict[str, Any]], list[list[float]]]:
    """Return what the endpoint may know of the first customers, and what they used after that."""
    lines = build_electricity(RUN)[f"{RUN}/test/test.json"].splitlines()
    series = [json.loads(line) for line in islice(lines, CUSTOMERS)]
    known = [each | {"target": each["target"][:-PREDICTED]} for each in series]
    return known, [each["target"][-PREDICTED:] for each in series]
