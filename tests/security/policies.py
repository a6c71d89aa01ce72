"""What the roles of the functions may do, by the policies that the template makes, and whether that allows a request.

The evaluator is MiniStack's, which the embedded stack enforces roles with, too. Asked as here, about an identity's
policies alone, it looks at Effect, Action, Resource and Condition. It puts nothing in place of policy variables and
knows no service control policy: the template has none. An operator that it does not know matches nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document  # type: ignore[import-untyped]

from tests.integration.stack import BUCKET, QUEUE, ROLE, SCHEDULES, TABLE
from tests.security.translated import ACCOUNT, REGION, resources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FUNCTIONS = ("submit", "api", "observe", "tick", "prices", "widget")
# The names that the tests' stack has; the parameters that use every statement there is.
NAMES = {"RunsTable": TABLE, "SpecsBucket": BUCKET, "ObserveQueue": QUEUE, "TemplateSchedules": SCHEDULES}
PRICE_FILE = f"s3://{BUCKET}/prices.json"
SPECS_KEY, DATA_KEY = (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}" for name in ("specs", "data"))
STATE_MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:nightly"
PARAMETERS = {
    "TaskTokenStateMachineArns": STATE_MACHINE,
    "AllowHosting": "true",
    "AllowCheckpointCopies": "true",
    "TriggerBuckets": "arriving-data",
    "WidgetActions": "true",
    "SlackWebhookUrl": "https://hooks.slack.com/services/T000/B000/secret",
    "AllowedRoleArns": ROLE,
    "AllowedCheckpointBuckets": "churn-*",
    "PriceFile": PRICE_FILE,
    "Tracing": "Active",
    "SubnetIds": "subnet-0a1b2c3d,subnet-1a2b3c4d",
    "SecurityGroupIds": "sg-0a1b2c3d",
    "SpecsKmsKeyArn": SPECS_KEY,
    "DataKmsKeyArn": DATA_KEY,
}


@dataclass(frozen=True)
class Request:
    """What IAM is asked: an action, the resource, and the condition keys that the request brings with it."""

    action: str
    resource: str
    keys: Mapping[str, str | list[str]] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        """Return the request as a line of a report."""
        return f"{self.action} on {self.resource} {dict(self.keys) or ''}".rstrip()


@dataclass(frozen=True)
class Grant:
    """The least that a policy can give: one action on one pattern of resources, under the statement's conditions."""

    sid: str
    action: str
    resource: str
    conditions: str

    @property
    def condition(self) -> dict[str, dict[str, Any]]:
        """The conditions as the template has them."""
        read: dict[str, dict[str, Any]] = json.loads(self.conditions)
        return read

    @property
    def statement(self) -> dict[str, Any]:
        """The grant as a statement of its own."""
        return {"Effect": "Allow", "Action": self.action, "Resource": self.resource, "Condition": self.condition}

    def allows(self, request: Request) -> bool:
        """Whether the grant by itself allows a request."""
        return _decide(self._policy, request) == "Allow"

    @cached_property
    def _policy(self) -> Any:
        return _parse([self.statement])

    def __str__(self) -> str:
        """Return the grant as a line of a report."""
        return f"{self.sid}: {self.action} on {self.resource}"


@dataclass(frozen=True)
class Role:
    """What a function may do."""

    function: str
    statements: tuple[dict[str, Any], ...]

    def allows(self, request: Request) -> bool:
        """Whether IAM would let the function make a request."""
        return _decide(self._policy, request) == "Allow"

    @cached_property
    def _policy(self) -> Any:
        return _parse(self.statements)

    @property
    def grants(self) -> tuple[Grant, ...]:
        """Everything that the role grants, in its parts."""
        return tuple(
            Grant(entry["Sid"], action, resource, json.dumps(entry.get("Condition", {}), sort_keys=True))
            for entry in self.statements
            for action in as_list(entry["Action"])
            for resource in as_list(entry["Resource"])
        )


def decision(statements: Iterable[dict[str, Any]], request: Request) -> str:
    """Return IAM's decision: Allow, Deny, or ImplicitDeny where no statement speaks of the request."""
    return _decide(_parse(statements), request)


def _parse(statements: Iterable[dict[str, Any]]) -> Any:
    return parse_policy_document({"Statement": list(statements)})


def _decide(policy: Any, request: Request) -> str:
    context = EvalContext(
        principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/spot-relay/function",
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=request.action,
        resource_arn=request.resource,
        region=REGION,
        secure_transport=True,
        # As MiniStack's own enforcement does: a request without tags has no such key, not an empty one.
        service_context={"aws:tagkeys": None} | {key.lower(): value for key, value in request.keys.items()},
    )
    found: str = evaluate(context, [policy]).decision
    return found


@cache
def roles(**parameters: str) -> Mapping[str, Role]:
    """Return the role of each function, by its name, as the template makes it."""
    made = resources(NAMES, **{**PARAMETERS, **parameters})
    by_arn = {f"arn:aws:iam::{ACCOUNT}:role/{name}": name for name in made}
    functions = {
        entry["Properties"]["Handler"].split("/")[1]: by_arn[entry["Properties"]["Role"]]
        for entry in made.values()
        if entry["Type"] == "AWS::Lambda::Function"
    }
    return {function: Role(function, tuple(_statements(made, role))) for function, role in functions.items()}


def _statements(made: Mapping[str, dict[str, Any]], role: str) -> Iterator[dict[str, Any]]:
    """Return the statements of a role's own policies and of those attached to it, which are the template's, too."""
    properties = made[role]["Properties"]
    attached = [made[policy]["Properties"] for policy in properties.get("ManagedPolicyArns", [])]
    for policy in [*attached, *properties["Policies"]]:
        yield from policy["PolicyDocument"]["Statement"]


def as_list(value: Any) -> list[Any]:
    """Return a value as a list, be it one already or not."""
    return value if isinstance(value, list) else [value]


def example(resource: str) -> str:
    """Return an ARN that a pattern of the template stands for."""
    in_partition = resource.replace("arn:*:", "arn:aws:")
    # A log group's ARN ends in :*, which stands for its streams.
    return re.sub(r"^(arn:aws:logs:.*):\*$", r"\1:log-stream:x", in_partition).replace("*", "x")
