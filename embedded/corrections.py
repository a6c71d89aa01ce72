"""Requests that MiniStack answers unlike AWS, corrected.

- An API with IAM authentication takes only requests that are signed for ``execute-api``. MiniStack checks the signature
  itself, but not for which service it was made.
- The answer to a task of Step Functions concerns the state machine that the task's token is of. MiniStack checks
  permissions for it against every resource.
- A schedule is in a group, which is part of its name for permissions. MiniStack takes every schedule for one of the
  default group.
- A schedule's input may ask for the time of the schedule. MiniStack sends the input as it is.
- The input of a target may have a member of a list in it, such as ``$.detail.numbers[0]``. MiniStack knows only members
  of objects.
- An object may be encrypted with ``aws:kms`` without naming a key: AWS then takes the account's own key for S3.
"""

from __future__ import annotations

import json
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ministack import app  # type: ignore[import-untyped]
from ministack.core import iam_actions  # type: ignore[import-untyped]
from ministack.core.iam_evaluator import AuthError  # type: ignore[import-untyped]
from ministack.services import apigateway_v1, eventbridge, s3, stepfunctions  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

API_SERVICE: Final = "execute-api"
WRONG_SERVICE: Final = f"Credential should be scoped to correct service: '{API_SERVICE}'. "
ENCRYPTION: Final = "x-amz-server-side-encryption"
KMS_KEY: Final = f"{ENCRYPTION}-aws-kms-key-id"
ACCOUNT_KEY: Final = "alias/aws/s3"
SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
_SCOPE: Final = re.compile(r"[^/\s,=]+/\d{8}/[^/\s,]*/(?P<service>[^/\s,]+)/aws4_request")

Headers = dict[str, str]
Answer = tuple[int, dict[str, str], bytes]


def install() -> None:
    """Correct the answers of API Gateway, EventBridge, S3, Scheduler and Step Functions."""
    app._enforce_execute_api = require_service(app._enforce_execute_api)  # noqa: SLF001 (there is no setting for this)
    s3._resolve_sse_write_headers = name_key(s3._resolve_sse_write_headers)  # noqa: SLF001
    tokens = TaskTokens()
    stepfunctions._execute_task = tokens.watch(stepfunctions._execute_task)  # noqa: SLF001
    stepfunctions._invoke_with_callback = tokens.remember(stepfunctions._invoke_with_callback)  # noqa: SLF001
    iam_actions.extract_resource_arn = name_group(tokens.name_machines(iam_actions.extract_resource_arn))
    eventbridge._invoke_target = fill_in_time(eventbridge._invoke_target)  # noqa: SLF001
    eventbridge._apply_input_transformer = find_members(eventbridge._apply_input_transformer)  # noqa: SLF001


def signed_service(headers: Mapping[str, str], query: Mapping[str, Any]) -> str | None:
    """Return the service that a request is signed for, in its headers or its query; ``None`` if it is not signed."""
    given = query.get("X-Amz-Credential", "")
    presigned = given[0] if isinstance(given, list) and given else given
    found = _SCOPE.search(headers.get("authorization", "") or str(presigned))
    return found["service"] if found else None


def require_service(authorize: Callable[..., Answer | None]) -> Callable[..., Answer | None]:
    """Wrap what authorizes the call of an API: refuse a signature that was made for another service."""

    def check(
        api: str, stage: str, method: str, path: str, headers: Headers, query: dict[str, Any], **named: str
    ) -> Answer | None:
        service = signed_service(headers, query)
        kind = app._execute_api_authorization_type(api, stage, method, path)  # noqa: SLF001
        if kind == "AWS_IAM" and service not in (None, API_SERVICE):
            error = AuthError("SignatureDoesNotMatch", WRONG_SERVICE)
            refusal: Answer | None = apigateway_v1.authentication_error_response(api, stage, error, headers, query)
            if refusal is not None:
                return refusal
        return authorize(api, stage, method, path, headers, query, **named)

    return check


def name_key(resolve: Callable[[Headers, str], Any]) -> Callable[[Headers, str], Any]:
    """Wrap what reads the encryption of an upload: without a key, ``aws:kms`` means the account's own key for S3."""

    def read(headers: Headers, bucket: str) -> Any:
        if headers.get(ENCRYPTION) == "aws:kms":
            return resolve({KMS_KEY: ACCOUNT_KEY, **headers}, bucket)
        return resolve(headers, bucket)

    return read


def name_group(extract: Callable[..., str]) -> Callable[..., str]:
    """Wrap what names the resource of a request: a schedule is named after its group, too."""

    def name(
        service: str, method: str, path: str, headers: Headers, body: bytes, query: dict[str, Any], *others: Any
    ) -> str:
        arn = extract(service, method, path, headers, body, query, *others)
        if service != "scheduler" or ":schedule/default/" not in arn:
            return arn
        given = query.get("groupName") or _read_member(body, "GroupName") or "default"
        group = given[0] if isinstance(given, list) else given
        return arn.replace(":schedule/default/", f":schedule/{group}/")

    return name


def fill_in_time(invoke: Callable[..., None]) -> Callable[..., None]:
    """Wrap what invokes a target: the input of a schedule gets the time, which is when it is invoked."""

    def call(target: dict[str, Any], event: dict[str, Any], *others: Any, **named: Any) -> None:
        if event.get("Source") == "aws.scheduler" and "Input" in target:
            at = datetime.fromtimestamp(int(event["Time"]), UTC).isoformat().replace("+00:00", "Z")
            target = {**target, "Input": target["Input"].replace(SCHEDULED_TIME, at)}
        invoke(target, event, *others, **named)

    return call


class _NamedMembers:
    """An event as MiniStack sees it, in which each member of a list has a name beside the list: ``numbers[0]``."""

    def __init__(self, view: Any) -> None:
        self._view = view

    def event_with_detail(self) -> Any:
        """Return the event with the names."""
        return _name_members(self._view.event_with_detail())

    def envelope(self) -> Any:
        """Return the event without its detail, as it is."""
        return self._view.envelope()


def find_members(transform: Callable[[Any, Any, Any], str]) -> Callable[[Any, Any, Any], str]:
    """Wrap what makes the input of a target out of an event: its paths may name members of lists."""

    def call(transformer: Any, rule: Any, view: Any) -> str:
        return transform(transformer, rule, _NamedMembers(view))

    return call


def _name_members(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    lists = [(key, member) for key, member in value.items() if isinstance(member, list)]
    named = {f"{key}[{index}]": member for key, members in lists for index, member in enumerate(members)}
    return {key: _name_members(member) for key, member in (value | named).items()}


class TaskTokens:
    """Knows which state machine a task's token is of."""

    def __init__(self) -> None:
        self._machines: dict[str, str] = {}
        self._running: ContextVar[str] = ContextVar("running")

    def watch(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap what executes a task: its state machine is the one that runs."""

        def run(state: Any, given: Any, execution: Any, context: dict[str, Any]) -> Any:
            self._running.set(context["StateMachine"]["Id"])
            return execute(state, given, execution, context)

        return run

    def remember(self, invoke: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap what hands out a token."""

        def hand_out(resource: str, given: Any, token: str, state: Any) -> Any:
            self._machines[token] = self._running.get()
            return invoke(resource, given, token, state)

        return hand_out

    def name_machines(self, extract: Callable[..., str]) -> Callable[..., str]:
        """Wrap what names the resource of a request: the answer to a task is about the task's state machine."""

        def name(service: str, method: str, path: str, headers: Headers, body: bytes, *others: Any) -> str:
            token = _read_member(body, "taskToken") if service == "states" else None
            return self._machines.get(token or "") or extract(service, method, path, headers, body, *others)

        return name


def _read_member(body: bytes, name: str) -> str | None:
    """Return a member of a request; the service itself refuses a body that is not JSON."""
    try:
        value: str | None = json.loads(body).get(name)
    except ValueError:
        return None
    return value
