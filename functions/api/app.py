"""Answers the API: submit, list, show, stop and resume runs."""

import base64
import json
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.typing import LambdaContext

from spot_relay import bootstrap
from spot_relay.adapters.inbound import InvalidQueryError, read_page_query
from spot_relay.domain.shown.report import status_document
from spot_relay.ports import NewerSchemaError, PrefixTakenError
from spot_relay.service import NameConflictError, NoSuchRunError, RejectedError, UnacceptableError
from spot_relay.settings import RunSettings, SubmissionSettings
from spot_relay.spec import Allowlist, Format, InvalidSpecError, Problem, read_resumption, read_submission

logger = Logger()
app = APIGatewayRestResolver()
service = bootstrap.service(RunSettings.from_env())
allowlist = Allowlist(**asdict(SubmissionSettings.from_env()))

REFUSALS = {
    InvalidSpecError: (HTTPStatus.BAD_REQUEST, "InvalidSpec"),
    UnacceptableError: (HTTPStatus.BAD_REQUEST, "InvalidSpec"),
    InvalidQueryError: (HTTPStatus.BAD_REQUEST, "InvalidQuery"),
    NoSuchRunError: (HTTPStatus.NOT_FOUND, "NoSuchRun"),
    NameConflictError: (HTTPStatus.CONFLICT, "NameConflict"),
    PrefixTakenError: (HTTPStatus.CONFLICT, "CheckpointPrefixTaken"),
    RejectedError: (HTTPStatus.CONFLICT, "Rejected"),
    NewerSchemaError: (HTTPStatus.SERVICE_UNAVAILABLE, "NewerSchema"),
}


@app.post("/runs")
def submit_run() -> tuple[dict[str, Any], int]:
    """Accept a spec; the same spec again is the same run."""
    run = service.submit(read_submission(_body(), Format.JSON, allowlist))
    return status_document(run), HTTPStatus.ACCEPTED


@app.get("/runs")
def list_runs() -> dict[str, Any]:
    """List runs, newest first, a page at a time."""
    wanted = read_page_query(app.current_event.query_string_parameters)
    runs, following = service.list(wanted.status, wanted.limit, wanted.created_before)
    return {"runs": runs, "next_token": following}


@app.get("/runs/<run_id>")
def show_run(run_id: str) -> dict[str, Any]:
    """Show one run."""
    return status_document(service.show(run_id))


@app.post("/runs/<run_id>/stop")
def stop_run(run_id: str) -> tuple[dict[str, Any], int]:
    """Stop a run for good."""
    return status_document(service.stop(run_id)), HTTPStatus.ACCEPTED


@app.post("/runs/<run_id>/resume")
def resume_run(run_id: str) -> tuple[dict[str, Any], int]:
    """Let an ended run go on from its newest checkpoint, with what the body changes of budgets and deadline."""
    return status_document(service.resume(run_id, read_resumption(_body()))), HTTPStatus.ACCEPTED


def _body() -> bytes:
    """Give the body as it was sent, whatever its bytes: what is no text is told by the reader of the document."""
    event = app.current_event
    if not event.is_base64_encoded:
        return (event.body or "").encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(event.body or "", validate=True)
    except ValueError:
        raise InvalidSpecError((Problem("", "The body is said to be base64 and is not: send it as text."),)) from None


@app.exception_handler(list(REFUSALS))  # type: ignore[untyped-decorator]
def refuse(error: Exception) -> Response[str]:
    """Answer what a user can mend."""
    status, code = REFUSALS[type(error)]
    details = error.details if isinstance(error, InvalidSpecError | UnacceptableError) else []
    message = f"The document has {len(details)} problem{'s' * (len(details) != 1)}." if details else str(error)
    return _refusal(status, code, message, details)


@app.not_found
def no_route(_: NotFoundError) -> Response[str]:
    """Answer a path or method that the API does not have."""
    routes = "POST /runs, GET /runs, GET /runs/{id}, POST /runs/{id}/stop, POST /runs/{id}/resume"
    return _refusal(HTTPStatus.NOT_FOUND, "NoSuchRoute", f"the API has: {routes}", [])


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def fail(error: Exception) -> Response[str]:
    """Answer a fault of ours; the log tells it."""
    logger.exception("the request failed", exc_info=error)
    message = "Spot Relay could not answer; try again. What happened is in the function's log."
    return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", message, [])


def _refusal(status: HTTPStatus, code: str, message: str, details: list[Any]) -> Response[str]:
    logger.info("the request is refused", code=code)
    return Response(status, "application/json", json.dumps({"code": code, "message": message, "details": details}))


@logger.inject_lambda_context(log_event=False)  # whatever the environment says: events hold secrets
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    # Who may stop one run may stop each: the log tells who did.
    logger.append_keys(caller=event.get("requestContext", {}).get("identity", {}).get("userArn"))
    return app.resolve(event, context)
