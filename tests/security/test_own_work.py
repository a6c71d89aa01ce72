"""Each function does all its work with its own role, and the role has nothing that this work does not need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.integration.stack import BUCKET, TABLE
from tests.security.calls import CALLS, UnknownCallError, asked
from tests.security.journeys import journeys, looks
from tests.security.policies import FUNCTIONS, Grant, Request, decision, roles
from tests.security.watched import Watch

if TYPE_CHECKING:
    from tests.security.watched import WatchedStack

# The rights that are used where no test sees it, by their statements.
UNSEEN = {
    "Log": "Lambda writes a function's log with the function's role",
    "Trace": "Lambda sends what X-Ray samples with the function's role",
    "ManageNetworkInterfaces": "Lambda attaches a function to a VPC with the function's role",
    "AttachToVpc": "Lambda attaches a function to a VPC with the function's role",
    "DescribeVpc": "Lambda attaches a function to a VPC with the function's role",
    "ReceiveUploads": "Lambda takes messages off a function's queue with the function's role",
    "ReceiveObservations": "Lambda takes messages off a function's queue with the function's role",
}


@pytest.fixture(scope="module")
def watch(stack: WatchedStack) -> Watch:
    """What was asked of IAM, and refused, in all the journeys."""
    for name, journey in journeys():
        stack.begin()
        with stack.variable("ATTEMPT_LIMITS", ""):
            try:
                journey(stack)
            except Exception as error:
                raise AssertionError(f"the journey did not come to its end: {name}") from error
    return stack.watch


def work_of(watch: Watch, function: str) -> list[Request]:
    """Return what a function asked of IAM, each once."""
    return list(dict.fromkeys(request for who, request in watch.made if who == function))


@pytest.fixture(scope="module")
def used(watch: Watch) -> dict[str, list[Grant]]:
    """The grants that each function's work needed."""
    return {
        function: [grant for grant in roles()[function].grants if any(map(grant.allows, work_of(watch, function)))]
        for function in FUNCTIONS
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_does_all_its_work_with_its_own_role(watch: Watch, function: str) -> None:
    assert work_of(watch, function)
    assert [str(request) for who, request in watch.refused if who == function] == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_has_no_right_that_its_functions_work_does_not_use(used: dict[str, list[Grant]], function: str) -> None:
    unused = [grant for grant in roles()[function].grants if grant not in used[function]]
    assert [str(grant) for grant in unused if grant.sid not in UNSEEN] == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_without_any_one_of_its_rights_a_function_could_not_do_its_work(
    watch: Watch, used: dict[str, list[Grant]], function: str
) -> None:
    """No right is there twice, and none is part of another."""
    work, grants = work_of(watch, function), roles()[function].grants
    for missing in used[function]:
        others = [grant.statement for grant in grants if grant != missing]
        needed = [request for request in work if missing.allows(request)]
        assert any(decision(others, request) != "Allow" for request in needed), str(missing)


def test_a_widget_without_buttons_has_the_rights_to_look_at_runs_and_no_other(stack: WatchedStack) -> None:
    stack.begin()
    others, watch = stack.watch, Watch(parameters={"WidgetActions": "false"})
    try:
        stack.watch = watch
        looks(stack)
    finally:
        stack.watch = others
    work = [request for who, request in dict.fromkeys(watch.made) if who == "widget"]
    grants = [grant for grant in roles(WidgetActions="false")["widget"].grants if grant.sid not in UNSEEN]
    assert watch.refused == []
    assert [str(grant) for grant in grants if not any(grant.allows(request) for request in work)] == []
    actions = {grant.action for grant in grants}
    assert actions == {"dynamodb:GetItem", "dynamodb:Query", "kms:Decrypt"}


def test_no_right_counts_as_unseen_that_is_seen_or_that_nobody_has(used: dict[str, list[Grant]]) -> None:
    seen = {grant.sid for grants in used.values() for grant in grants}
    given = {grant.sid for role in roles().values() for grant in role.grants}
    assert UNSEEN.keys() <= given - seen


def test_every_call_that_is_listed_is_made(watch: Watch) -> None:
    assert watch.calls == CALLS


def test_a_call_that_is_not_listed_is_an_error(stack: WatchedStack) -> None:
    with pytest.raises(UnknownCallError, match=r"s3\.RestoreObject"):
        asked("s3.RestoreObject", {})
    s3 = stack.client("s3")
    with Watch().of("submit", s3), pytest.raises(UnknownCallError, match=r"s3\.HeadBucket"):
        s3.head_bucket(Bucket=BUCKET)


def test_a_call_that_a_role_does_not_allow_is_refused_and_noted(stack: WatchedStack) -> None:
    stack.begin()
    watch, dynamodb = Watch(), stack.client("dynamodb")
    with watch.of("tick", dynamodb), pytest.raises(ClientError, match=r"AccessDenied.*dynamodb:GetItem"):
        dynamodb.get_item(TableName=TABLE, Key={"id": {"S": "churn"}})
    (refused,) = watch.refused
    assert (refused[0], refused[1].action, watch.made) == ("tick", "dynamodb:GetItem", [])
    assert "Item" not in dynamodb.get_item(TableName=TABLE, Key={"id": {"S": "churn"}})
