"""`install`: a session of boto3 whose clients carry out managed spot training jobs as runs."""

from __future__ import annotations

import json
import sys
import uuid
from asyncio import to_thread
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.parsers import create_parser

from spot_relay_client.errors import SpotRelayError
from spot_relay_client.sagemaker.errors import ServiceError
from spot_relay_client.sagemaker.policies import read_policy
from spot_relay_client.sagemaker.router import ROUTED, Call
from spot_relay_client.sagemaker.routers import Routers
from spot_relay_client.sagemaker.wire import CONTENT_TYPE, encode_answer, encode_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

    from botocore.model import OperationModel
    from botocore.session import Session

    # What `install` takes as a policy: what stands under `policy` in a spec, or the path of a file.
    Policy = Mapping[str, Any] | str | PathLike[str]

# The modules of SDK v3, and of its first releases, in which it keeps a client for logs. It makes that on a session
# of its own, once in a process.
_LOGS_OF_V3: Final = ("sagemaker.core.utils.logs", "sagemaker_core.main.logs")

AnySession = TypeVar("AnySession")


def install(
    session: AnySession,
    *,
    policy: Policy | None = None,
    stack: str | None = None,
    all: bool = False,  # noqa: A002 (reads well: install(session, all=True))
) -> AnySession:
    """Let the clients that a session makes from now on carry out training jobs as runs; return the session.

    Managed spot training jobs become runs, on-demand ones only with ``all``. ``policy`` is that of all jobs: a mapping
    as under ``policy`` in a spec, or the path of a file. Tags of a job such as ``spot-relay:deadline`` add to it.
    ``stack`` is the name of the stack, by default that of SPOT_RELAY_STACK or else ``spot-relay``.

    Calls that concern no run go to AWS as they are. If the stack cannot be used, calls that may concern a run raise
    `SpotRelayError`.

    Examples
    --------
    >>> sagemaker = install(boto3.Session()).client("sagemaker")  # doctest: +SKIP
    """
    hooks = _Hooks.of(session, policy, stack, all_jobs=all)
    _register(getattr(session, "_session", session), hooks.handle)
    return session


def install_async(
    session: AnySession,
    beside: Any,
    *,
    policy: Policy | None = None,
    stack: str | None = None,
    all: bool = False,  # noqa: A002 (as for install)
) -> AnySession:
    """Do what `install` does for a session of aiobotocore; ``beside`` is one of boto3 with the same credentials.

    Each call is answered in a thread, so that the event loop goes on.
    """
    hooks = _Hooks.of(beside, policy, stack, all_jobs=all)

    async def handle(**event: Any) -> Any:
        return await to_thread(hooks.handle, **event)

    _register(session, handle)
    return session


def _register(session: Any, handle: Callable[..., Any]) -> None:
    for event, unique in _events():
        session.unregister(event, unique_id=unique)  # installing again replaces the policy
        session.register(event, handle, unique_id=unique)


def _events() -> list[tuple[str, str]]:
    """Return the events of the routed operations, each with the name under which its handler is registered."""
    return [
        (f"before-call.{service}.{operation}", f"spot-relay-{operation}")
        for service, operations in ROUTED.items()
        for operation in operations
    ]


class _Hooks:
    """Answers calls in place of AWS."""

    def __init__(self, session: Session, routers: Routers) -> None:
        self._session = session
        self._routers = routers
        self._clients: dict[tuple[str, ...], Any] = {}
        self._given: set[str] = set()
        self._lock = Lock()

    @classmethod
    def of(cls, session: Any, policy: Policy | None, stack: str | None, *, all_jobs: bool) -> _Hooks:
        """Return the hooks for a session of boto3 or botocore."""
        core = getattr(session, "_session", session)
        return cls(core, Routers(core, stack, read_policy(policy), all_jobs=all_jobs))

    def handle(
        self, model: OperationModel, params: dict[str, Any], context: dict[str, Any], **_: Any
    ) -> tuple[AWSResponse, dict[str, Any]] | None:
        """Answer a call, or return None to let it go on to AWS."""
        region = context["client_region"]
        self._give_logs_to_v3(region)
        call = Call(
            operation=model.name,
            request=_read(params["body"]),
            id=str(uuid.uuid4()),
            aws=lambda: self._client(model.service_model.service_name, region, params["url"]),
        )
        try:
            answer = self._routers.of(region).answer(call)
        except ServiceError as error:
            return _respond(model, params["url"], error.status, encode_error(error))
        return None if answer is None else _respond(model, params["url"], 200, encode_answer(answer))

    def _client(self, service: str, region: str, url: str) -> Any:
        """Return a client without hooks that calls where a hooked one would have called."""
        address = urlsplit(url)
        endpoint = f"{address.scheme}://{address.netloc}{address.path.rstrip('/')}"
        with self._lock:
            key = (service, region, endpoint)
            if key not in self._clients:
                client = self._session.create_client(service, region_name=region, endpoint_url=endpoint)
                for event, unique in _events():
                    client.meta.events.unregister(event, unique_id=unique)
                self._clients[key] = client
            return self._clients[key]

    def _give_logs_to_v3(self, region: str) -> None:
        """If SDK v3 is in use, replace its client for logs by one of this session."""
        for name in _LOGS_OF_V3:
            holder = getattr(sys.modules.get(name), "CloudWatchLogsClient", None)
            if holder is not None and name not in self._given:
                self._given.add(name)
                # With a client in the class, its one instance makes none; an earlier instance has its own.
                holder.client = self._session.create_client("logs", region_name=region)
                holder().client = holder.client


def _read(body: Any) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except (TypeError, ValueError) as error:
        raise SpotRelayError(
            "This version of botocore sends requests that are not JSON. The request was not sent; use another version."
        ) from error
    return dict(request)


def _respond(model: OperationModel, url: str, status: int, body: bytes) -> tuple[AWSResponse, dict[str, Any]]:
    """Return an answer as botocore has it after a call: its HTTP response, and what was read of it."""
    headers = HTTPHeaders.from_dict({"x-amzn-requestid": str(uuid.uuid4()), "content-type": CONTENT_TYPE})
    response = {"status_code": status, "headers": headers, "body": body}
    # A routed operation without output, such as StopTrainingJob, has no shape to read.
    parsed = create_parser("json").parse(response, cast("Any", model.output_shape))
    return AWSResponse(url, status, headers, None), parsed
