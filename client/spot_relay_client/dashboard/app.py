"""The dashboard: a server on loopback with the pages of runs, their logs and their buttons.

It acts with the user's own credentials, so it stands behind a gate (`loopback`): its address has a key in it, and it
must be named as the host. What is pressed must come from one of its own pages: a POST with its own Origin. Pages load
nothing from elsewhere, cannot be framed, and tell no other site their address.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError, ClientError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from spot_relay.pages.buttons import FieldError, list_buttons
from spot_relay.pages.run_page import render_run
from spot_relay.pages.runs_page import render_runs
from spot_relay.pages.view import SORTS, STATUSES, View
from spot_relay_client.dashboard import views
from spot_relay_client.dashboard.log_tails import MOST_LINES, LogTails
from spot_relay_client.errors import NoSuchRunError, RefusedError, SpotRelayError
from spot_relay_client.loopback import Gate, RefusedRequestError
from spot_relay_client.run_reader import RunReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import tzinfo
    from wsgiref.types import StartResponse, WSGIEnvironment

    from werkzeug.routing import MapAdapter

    from spot_relay.pages.buttons import Button
    from spot_relay_client.relay import SpotRelay

_ROUTES: Final = Map(
    [
        Rule("/", endpoint="runs", methods=["GET"]),
        Rule("/live.js", endpoint="script", methods=["GET"]),
        Rule("/runs/<run>", endpoint="run", methods=["GET"]),
        Rule("/runs/<run>/log", endpoint="log", methods=["GET"]),
        Rule("/runs/<run>/<action>", endpoint="question", methods=["GET"]),
        Rule("/runs/<run>/<action>", endpoint="action", methods=["POST"]),
    ]
)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Not no-referrer: with it, browsers say that the Origin of our own forms is null.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# The newest; those before them are found with `spot-relay ls`.
MOST_RUNS: Final = 100
_LARGEST_FORM: Final = 16 * 1024
logger = logging.getLogger(__name__)


class Dashboard:
    """The WSGI application behind a gate, for the runs of ``relay``; ``zone`` is that of the people who read it."""

    def __init__(self, relay: SpotRelay, gate: Gate, zone: tzinfo = UTC) -> None:
        self._relay = relay
        self._gate = gate
        self._zone = zone
        self._logs = LogTails(relay.read_logs)
        self._runs = RunReader(relay)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = _LARGEST_FORM
        answer = self._answer(request)
        answer.headers.extend(_HEADERS)
        return answer(environ, start_response)

    @property
    def _root(self) -> str:
        return f"/{self._gate.key}"

    def _answer(self, request: Request) -> Response:
        try:
            path = self._gate.admit(request)
            _check_site(request, self._gate.host)
            if path == "":
                return _redirect(f"{self._root}/")
            routes: MapAdapter = _ROUTES.bind(self._gate.host, path_info=path, script_name=self._root)
            name, values = routes.match(method="GET" if request.method == "HEAD" else request.method)
            view: Callable[..., Response] = getattr(self, f"_show_{name}")
            return view(request, **values)
        except RefusedRequestError as error:
            logger.warning("refused %s from %s: %s", request.method, request.remote_addr, error)
            return Response(f"{error}\n", HTTPStatus.FORBIDDEN, content_type="text/plain; charset=utf-8")
        except NoSuchRunError as error:
            return self._fail("No such run", str(error), HTTPStatus.NOT_FOUND)
        except (SpotRelayError, BotoCoreError, ClientError) as error:
            return self._fail("The stack did not answer", str(error), HTTPStatus.BAD_GATEWAY)
        except HTTPException as error:
            return self._fail(error.name, str(error.description), error.code or HTTPStatus.BAD_REQUEST)

    def _fail(self, title: str, message: str, status: int) -> Response:
        return _page(views.render_fault(self._root, title, message), status)

    def _show_script(self, _request: Request) -> Response:
        script = files("spot_relay_client.dashboard").joinpath("live.js").read_bytes()
        return Response(script, content_type="text/javascript; charset=utf-8")

    def _show_runs(self, request: Request) -> Response:
        view = _read_view(request.args)
        page = render_runs(
            [run.document for run in self._runs.read(MOST_RUNS, (view.status,) if view.status else None)],
            datetime.now(UTC),
            self._zone,
            view,
            link_view=_link_view,
            link_run=lambda run: views.address_of(self._root, run),
            bar=views.draw_bar(self._root),
            head=views.list_head(self._root),
        )
        return _page(page)

    def _show_run(self, _request: Request, run: str) -> Response:
        document = self._relay.api.show(run)
        page = render_run(
            document,
            datetime.now(UTC),
            self._zone,
            others=[other.document for other in self._runs.read(MOST_RUNS)],
            link_run=lambda other: views.address_of(self._root, other),
            bar=views.draw_bar(self._root, document),
            head=views.list_head(self._root),
        )
        return _page(page)

    def _show_log(self, _request: Request, run: str) -> Response:
        found = self._relay.get(run)
        lines = self._logs.read(found)
        return _page(views.render_log(self._root, found.document, lines, MOST_LINES))

    def _show_question(self, _request: Request, run: str, action: str) -> Response:
        document = self._relay.api.show(run)
        button = _find_button(document, action)
        if button is None:
            return self._decline(document, action)
        return _page(views.render_question(self._root, document, button))

    def _show_action(self, request: Request, run: str, action: str) -> Response:
        """Do what a button says, and go back to the page of the run."""
        document = self._relay.api.show(run)
        button = _find_button(document, action)
        if button is None:
            return self._decline(document, action)
        try:
            self._send(run, action, button.build_body(request.form))
        except (FieldError, RefusedError) as error:
            page = views.render_question(self._root, document, button, str(error))
            return _page(page, HTTPStatus.UNPROCESSABLE_ENTITY)
        return _redirect(views.address_of(self._root, run))

    def _decline(self, document: Mapping[str, Any], action: str) -> Response:
        message = f"{document['run_id']} is {document['status']}, so it has no button {action!r}. {document['reason']}"
        return self._fail("That cannot be done now", message, HTTPStatus.CONFLICT)

    def _send(self, run: str, action: str, body: dict[str, Any]) -> None:
        match action:
            case "stop":
                self._relay.stop(run)
            case "move":
                self._relay.move(run, body["market"])
            case "deadline":
                self._relay.change_deadline(run, body.pop("deadline", None), **body)
            case _:
                self._relay.resume(run, body)


def _find_button(document: Mapping[str, Any], action: str) -> Button | None:
    """Return the button of a run that does an action, or None if the run has none now."""
    return next((each for each in list_buttons(document) if each.action == action), None)


def _read_view(query: Mapping[str, str]) -> View:
    """Return the view that an address asks for; what it says wrongly is as if it said nothing."""
    default, sort, status = View(), query.get("sort"), query.get("status")
    return View(
        sort=sort if sort in SORTS else default.sort,
        descending=query.get("order") != "ascending",
        status=status if status in STATUSES else None,
        name=query.get("name", ""),
    )


def _link_view(view: View) -> str:
    order = "descending" if view.descending else "ascending"
    asked = {"sort": view.sort, "order": order, "status": view.status, "name": view.name}
    return "?" + urlencode({key: value for key, value in asked.items() if value})


def _check_site(request: Request, host: str) -> None:
    """Raise RefusedRequestError if a request comes from a page of another site."""
    headers = request.headers
    if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise RefusedRequestError("The request comes from a page of another site.")
    if request.method not in ("GET", "HEAD") and headers.get("Origin") != f"http://{host}":
        raise RefusedRequestError("What is pressed must come from a page of this dashboard.")


def _page(page: str, status: int = HTTPStatus.OK) -> Response:
    return Response(page, status, content_type="text/html; charset=utf-8")


def _redirect(address: str) -> Response:
    return Response("", HTTPStatus.SEE_OTHER, {"Location": address})
