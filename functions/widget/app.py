"""Answers a custom widget of a CloudWatch dashboard: with the page of all runs, or of one run with its buttons.

CloudWatch invokes it as the person who looks at the dashboard, and tells it the dashboard and the account, but not who
that is. So whoever may invoke it may press its buttons. There are none, and no rights for them, unless the stack's
parameter WidgetActions says so.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from spot_relay import bootstrap
from spot_relay.adapters.inbound import read_page_query
from spot_relay.domain.errors import CallerError
from spot_relay.domain.shown.report import status_document
from spot_relay.pages.buttons import FieldError, list_buttons
from spot_relay.pages.widget import Widget, describe_widget, state_of
from spot_relay.pages.widget_event import read_ask
from spot_relay.ports import NewerSchemaError
from spot_relay.service import NoSuchRunError
from spot_relay.settings import RunSettings, WidgetSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from spot_relay.domain.run.run import Run
    from spot_relay.pages.buttons import Button

logger = Logger()
settings = RunSettings.from_env()
acts = WidgetSettings.from_env().acts
# The function has 29 seconds.
service = bootstrap.create_service(settings, listing_seconds=20)
# How many runs a page has, and how many of those that have another name are passed over for it.
PAGE = 25
MOST_PASSED = 10 * PAGE


class WidgetError(Exception):
    """The widget could not be drawn. CloudWatch shows this message in place of it."""

    def __init__(self) -> None:
        super().__init__("Spot Relay could not draw this widget; the function's log has the reason. Try again.")


def draw_runs(widget: Widget) -> str:
    """Return a page of the runs that are asked for."""
    ask = widget.ask
    query = {"status": ask.view.status, "limit": str(PAGE), "token": ask.token}
    wanted = read_page_query({key: value for key, value in query.items() if value is not None})
    found: list[str] = []
    passed, token = 0, wanted.created_before
    while True:
        page, token = service.list(wanted.status, wanted.limit, token)
        names = [str(summary["run_id"]) for summary in page]
        found += [name for name in names if ask.view.name in name]
        passed += len(page)
        if token is None or len(found) >= PAGE or passed >= MOST_PASSED:
            break
    documents = [document for name in found if (document := _find_document(name)) is not None]
    return widget.show_runs(documents, token)


def _find_document(name: str) -> dict[str, Any] | None:
    """Return the status document of a run, or None if it is gone, or newer than this function."""
    try:
        return status_document(service.show(name), service.region)
    except (NoSuchRunError, NewerSchemaError):
        return None


def draw_run(widget: Widget, run_id: str) -> str:
    """Return the page of a run, with what was asked of it."""
    run = service.show(run_id)
    document = _document_of(run)
    names = [one["run_id"] for one in (document["start"] or {}).get("after", ())]
    widget = replace(widget, others=[found for name in names if (found := _find_document(name)) is not None])
    action = widget.ask.action or widget.ask.question
    if action is None:
        return widget.show_run(document)
    button = next((one for one in list_buttons(document) if one.action == action), None)
    fault = _find_fault(widget, document, button)
    if fault is not None or button is None:
        logger.info("the button is refused", because=fault)
        return widget.show_run(document, fault=fault)
    if widget.ask.action is None:
        return widget.show_question(document, button)
    return press(widget, document, button)


def _document_of(run: Run) -> dict[str, Any]:
    """Return a run's status document, with its place in the queue if it waits in one."""
    document = status_document(run, service.region)
    if document["queue"] is not None:
        document["queue"]["ahead"] = bootstrap.create_planner(service, settings).count_ahead(run)
    return document


def _find_fault(widget: Widget, document: dict[str, Any], button: Button | None) -> str | None:
    """Return why a button cannot be pressed now, or None."""
    if not acts:
        return "Nothing was done: runs have no buttons here, because the stack's parameter WidgetActions is false."
    if widget.ask.is_preset:
        return "Nothing was done: an action has to be pressed, and cannot be a parameter of the widget."
    if button is None:
        name, status = document["run_id"], document["status"]
        return f"Nothing was done: {name} is {status}, so that cannot be done now."
    if widget.ask.action is not None and widget.ask.seen != state_of(document):
        return "Nothing was done: the run has changed since this button was drawn. Look again, and press it again."
    return None


def press(widget: Widget, document: dict[str, Any], button: Button) -> str:
    """Do what a button says, and return the page of the run as it is then, or of what was wrong."""
    try:
        run = _send(document["run_id"], button.action, button.build_body(widget.ask.typed))
    except (FieldError, CallerError) as error:
        logger.info("the request is refused", because=str(error))
        if button.fields:
            return widget.show_question(document, button, str(error))
        return widget.show_run(_document_of(service.show(document["run_id"])), fault=str(error))
    logger.info("the request is accepted")
    return widget.show_run(_document_of(run), told=f"Done: {button.label}.")


def _send(run_id: str, action: str, body: dict[str, Any]) -> Run:
    # Imported here to keep cold starts short: most requests are looks.
    from spot_relay.spec import read_deadline_change, read_move, read_resumption

    data = json.dumps(body).encode()
    match action:
        case "stop":
            return service.stop(run_id)
        case "move":
            return service.change(run_id, read_move(data))
        case "deadline":
            return service.change(run_id, read_deadline_change(data))
        case _:
            return service.resume(run_id, read_resumption(data))


@logger.inject_lambda_context(log_event=False)  # not even if POWERTOOLS_LOGGER_LOG_EVENT is set
def handler(event: dict[str, Any], context: LambdaContext) -> str:
    """Answer one look at the widget, or one press of a button in it."""
    # Whoever may invoke the function may send anything.
    asked = event if isinstance(event, dict) else {}
    if asked.get("describe"):
        return describe_widget(acts=acts)
    ask = read_ask(asked)
    widget = Widget(ask, context.invoked_function_arn, service.clock(), acts)
    # CloudTrail knows who has invoked the function, by the id of the request that is in each line of the log.
    logger.append_keys(dashboard=ask.dashboard, account=ask.account, action=ask.action, run_id=ask.run)
    if ask.action is not None:
        logger.info("a button was pressed")
    try:
        return draw_runs(widget) if ask.run is None else draw_run(widget, ask.run)
    except CallerError as error:
        return widget.show_fault("That cannot be shown", str(error))
    except Exception:
        logger.exception("the widget could not be drawn")
        raise WidgetError from None
