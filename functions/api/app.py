"""Answers the API: submits, lists, shows, stops, resumes and moves runs, and changes their deadlines.

`ROUTES` is the only declaration of the routes. The resolver, docs/openapi.yaml (`make openapi`) and the answer to an
unknown path are made from it, and a test compares it with the events in template.yaml.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from spot_relay import bootstrap
from spot_relay.adapters.inbound import InvalidQueryError, read_dry_run, read_page_query
from spot_relay.domain.errors import CallerError
from spot_relay.domain.shown.report import notice_of_end, status_document
from spot_relay.ports import NewerSchemaError, PrefixTakenError
from spot_relay.service import NameConflictError, NoSuchRunError, RejectedError, UnacceptableError
from spot_relay.settings import RunSettings, SubmissionSettings
from spot_relay.spec import (
    Allowlist,
    Format,
    InvalidSpecError,
    Problem,
    parse_submission,
    read_deadline_change,
    read_document,
    read_move,
    read_resumption,
    read_submission,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.event_handler.exceptions import NotFoundError
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from spot_relay.domain.lint.draft import Draft

logger = Logger()
app = APIGatewayRestResolver()
# API Gateway waits 29 seconds at most.
settings = RunSettings.from_env()
service = bootstrap.create_service(settings, listing_seconds=20)
allowlist = Allowlist(**asdict(SubmissionSettings.from_env()))


class NoSuchRouteError(CallerError):
    """The API has no such path or method."""

    code = "NoSuchRoute"
    status = 404

    def __init__(self) -> None:
        super().__init__(f"The API has: {', '.join(f'{route.method} {route.path}' for route in ROUTES)}")


def submit_run() -> dict[str, Any] | tuple[dict[str, Any], HTTPStatus]:
    """Turn a spec into a run or, on a dry run, return what would happen to it."""
    if read_dry_run(app.current_event.query_string_parameters):
        return _plan_run(), HTTPStatus.OK
    submitted_at, submission_id = service.clock(), service.new_id()
    run = service.submit(read_submission(_read_body(), Format.JSON, allowlist), submission_id)
    notice = notice_of_end(run, submitted_at)
    told = {"created": run.submission_id == submission_id} | ({"notice": notice} if notice else {})
    return status_document(run, service.region) | told


def _plan_run() -> dict[str, Any]:
    """Return what would happen to the spec in the body. A bad spec is no error: its problems are the answer."""
    planner, document = bootstrap.create_planner(service, settings), {}
    try:
        document = read_document(_read_body(), Format.JSON)
        return planner.answer(_read_draft(document), parse_submission(document, allowlist))
    except InvalidSpecError as error:
        return planner.answer(_read_draft(document), error)


def _read_draft(document: dict[str, Any]) -> Draft:
    # Imported here to keep cold starts short.
    from spot_relay.request.drafts import read_draft

    return read_draft(document, allowlist.region, allowlist.allowed_role_arns)


def list_runs() -> dict[str, Any]:
    """Return one page of runs."""
    wanted = read_page_query(app.current_event.query_string_parameters)
    runs, next_token = service.list(wanted.status, wanted.limit, wanted.created_before)
    return {"runs": runs, "next_token": next_token}


def show_run(run_id: str) -> dict[str, Any]:
    """Return one run, with its place in the queue if it waits in one."""
    run = service.show(run_id)
    document = status_document(run, service.region)
    if document["queue"] is not None:
        document["queue"]["ahead"] = bootstrap.create_planner(service, settings).count_ahead(run)
    return document


def stop_run(run_id: str) -> dict[str, Any]:
    """Ask a run to stop."""
    return status_document(service.stop(run_id), service.region)


def resume_run(run_id: str) -> dict[str, Any]:
    """Resume a run with the changes in the body."""
    return status_document(service.resume(run_id, read_resumption(_read_body())), service.region)


def move_run(run_id: str) -> dict[str, Any]:
    """Move a run to the market in the body."""
    return status_document(service.change(run_id, read_move(_read_body())), service.region)


def change_deadline(run_id: str) -> dict[str, Any]:
    """Change a run's deadline as the body says, or remove it."""
    return status_document(service.change(run_id, read_deadline_change(_read_body())), service.region)


class Route(NamedTuple):
    """One route. The schemas that it names are defined in openapi/, which no function imports."""

    method: str
    path: str
    handler: Callable[..., Any]
    summary: str
    errors: tuple[type[CallerError], ...]
    answer: str = "Run"
    """The schema of the answer."""
    status: HTTPStatus = HTTPStatus.OK
    body: str | None = None
    """The schema of the body, if the route takes one."""
    query: tuple[str, ...] = ()
    """The names of the query parameters."""
    dry_answer: str | None = None
    """The schema of the answer to a dry run, which has the status 200, if the route has one."""


ROUTES = (
    Route(
        "POST",
        "/runs",
        submit_run,
        "Submit a spec. Submitting the same spec again returns the same run, even after it has ended.",
        (InvalidQueryError, InvalidSpecError, UnacceptableError, NameConflictError, PrefixTakenError, NewerSchemaError),
        answer="SubmittedRun",
        status=HTTPStatus.ACCEPTED,
        body="Spec",
        query=("dry_run",),
        dry_answer="DryRun",
    ),
    Route(
        "GET",
        "/runs",
        list_runs,
        "List runs, newest first, one page at a time.",
        (InvalidQueryError,),
        answer="Page",
        query=("status", "limit", "token"),
    ),
    Route(
        "GET",
        "/runs/{id}",
        show_run,
        "Show a run.",
        (NoSuchRunError, NoSuchRouteError, NewerSchemaError),
    ),
    Route(
        "POST",
        "/runs/{id}/stop",
        stop_run,
        "Stop a run for good. Its status is Stopping until its training job has stopped.",
        (NoSuchRunError, NoSuchRouteError, RejectedError, NewerSchemaError),
        status=HTTPStatus.ACCEPTED,
    ),
    Route(
        "POST",
        "/runs/{id}/resume",
        resume_run,
        "Resume a run that failed or was stopped, from its newest checkpoint and with fresh budgets.",
        (InvalidSpecError, NoSuchRunError, NoSuchRouteError, RejectedError, PrefixTakenError, NewerSchemaError),
        status=HTTPStatus.ACCEPTED,
        body="Resumption",
    ),
    Route(
        "POST",
        "/runs/{id}/move",
        move_run,
        "Move an open run to on-demand, where it stays, or to spot. It continues from its newest checkpoint.",
        (InvalidSpecError, NoSuchRunError, NoSuchRouteError, RejectedError, NewerSchemaError),
        status=HTTPStatus.ACCEPTED,
        body="Move",
    ),
    Route(
        "POST",
        "/runs/{id}/deadline",
        change_deadline,
        "Change the deadline of an open run, or remove it.",
        (InvalidSpecError, NoSuchRunError, NoSuchRouteError, RejectedError, NewerSchemaError),
        status=HTTPStatus.ACCEPTED,
        body="DeadlineChange",
    ),
)
for route in ROUTES:
    app.route(route.path.replace("{id}", "<run_id>"), route.method, status_code=route.status)(route.handler)


def _read_body() -> bytes:
    """Return the body as it was sent. If it is not valid text, the reader of the document reports that."""
    event = app.current_event
    if not event.is_base64_encoded:
        return (event.body or "").encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(event.body or "", validate=True)
    except ValueError:
        message = "The request says that its body is base64, but it is not. Send the body as text."
        raise InvalidSpecError((Problem("", message),)) from None


@app.exception_handler(CallerError)  # type: ignore[untyped-decorator]
def refuse(error: CallerError) -> Response[str]:
    """Turn an error that the caller can act on into a response."""
    # The details of a 400 are problems of the body. The details of a conflict with another run are for an error report:
    # they name a key of the spec, which the body of a resumption does not have.
    details = error.details if error.status == HTTPStatus.BAD_REQUEST else []
    message = f"The document has {len(details)} problem{'s' * (len(details) != 1)}." if details else str(error)
    return _respond(error.status, error.code, message, details)


@app.not_found
def refuse_route(_: NotFoundError) -> Response[str]:
    """Respond to a path or method that the API does not have."""
    error = NoSuchRouteError()
    return _respond(error.status, error.code, str(error), error.details)


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def fail(error: Exception) -> Response[str]:
    """Log an unexpected error and turn it into a 500 response."""
    logger.exception("the request failed", exc_info=error)
    message = "Spot Relay could not answer this request; the function's log has the reason. Try again."
    return _respond(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", message, [])


def _respond(status: int, code: str, message: str, details: list[dict[str, str]]) -> Response[str]:
    logger.info("the request is refused", code=code)
    return Response(status, "application/json", json.dumps({"code": code, "message": message, "details": details}))


@logger.inject_lambda_context(log_event=False)  # not even if POWERTOOLS_LOGGER_LOG_EVENT is set: events hold secrets
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    # Anyone who may stop one run may stop every run, so the log names the caller.
    logger.append_keys(caller=event.get("requestContext", {}).get("identity", {}).get("userArn"))
    return app.resolve(event, context)
