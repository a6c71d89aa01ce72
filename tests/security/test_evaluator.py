"""The evaluator decides as IAM's documentation says IAM does; each case is a sentence of it.

The pages are "IAM JSON policy elements" (Action, Resource, condition operators, set operators) and "Policy evaluation
logic".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.security.policies import Request, decision, roles

TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/runs"


@dataclass(frozen=True)
class Case:
    """A statement or several, a request, and IAM's decision."""

    statements: list[dict[str, Any]]
    request: Request
    decided: str = "Allow"


Condition = dict[str, dict[str, Any]]


def allow(
    action: str | list[str] = "s3:GetObject", resource: str | list[str] = "*", condition: Condition | None = None
) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition or {}}


def deny(action: str, condition: Condition | None = None) -> dict[str, Any]:
    return allow(action, condition=condition) | {"Effect": "Deny"}


def get(key: str = "a", **keys: Any) -> Request:
    return Request("s3:GetObject", f"arn:aws:s3:::data/{key}", {name.replace("__", ":"): v for name, v in keys.items()})


def asked(operator: str, wanted: Any, *, has: Any = None, decided: str = "Allow") -> Case:
    """A statement with one condition, and a request that has the key or does not."""
    keys = {} if has is None else {"aws__TagKeys": has}
    return Case([allow(condition={operator: {"aws:TagKeys": wanted}})], get(**keys), decided)


NO = "ImplicitDeny"
CASES = {
    "without a statement that speaks of it a request is denied": Case([allow("s3:PutObject")], get(), NO),
    "an explicit deny overrides any allow": Case([allow(), deny("s3:*")], get(), "Deny"),
    "… wherever it stands": Case([deny("s3:GetObject"), allow()], get(), "Deny"),
    "a deny whose condition does not hold denies nothing": Case(
        [allow(), deny("s3:*", {"StringEquals": {"aws:TagKeys": "x"}})], get()
    ),
    "any one statement suffices to allow": Case([allow("s3:PutObject"), allow()], get()),
    "the names of actions are not case-sensitive": Case([allow("S3:getobject")], get()),
    "an action may have wildcards": Case([allow("s3:Get*")], get()),
    "… which stand for no other action": Case([allow("s3:Get*")], Request("s3:PutObject", "*"), NO),
    "one action of a list is enough": Case([allow(["s3:PutObject", "s3:GetObject"])], get()),
    "resources are case-sensitive": Case([allow(resource="arn:aws:s3:::Data/*")], get(), NO),
    "a star in a resource stands for any characters, slashes too": Case(
        [allow(resource="arn:aws:s3:::data/*")], get("b/c")
    ),
    "… and for none": Case([allow(resource="arn:aws:s3:::data/a*")], get("a")),
    "a question mark stands for one character": Case([allow(resource="arn:aws:s3:::data/?")], get("a")),
    "… and not for two": Case([allow(resource="arn:aws:s3:::data/?")], get("ab"), NO),
    "a resource is matched as a whole": Case([allow(resource="arn:aws:s3:::data")], get(), NO),
    "no other character is special": Case([allow(resource="arn:aws:s3:::dat.+/[a]")], get(), NO),
    "one resource of a list is enough": Case([allow(resource=["arn:aws:s3:::b/*", "arn:aws:s3:::data/*"])], get()),
    "a table is no index of it": Case(
        [allow("dynamodb:Query", TABLE)], Request("dynamodb:Query", f"{TABLE}/index/a"), NO
    ),
    "StringEquals is exact": asked("StringEquals", "churn", has="churn"),
    "… and case-sensitive": asked("StringEquals", "churn", has="Churn", decided=NO),
    "… and knows no wildcard": asked("StringEquals", "ch*", has="churn", decided=NO),
    "several values of a condition are alternatives": asked("StringEquals", ["a", "churn"], has="churn"),
    "several keys of an operator must all hold": Case(
        [allow(condition={"StringEquals": {"aws:TagKeys": "a", "s3:prefix": "b"}})],
        get(aws__TagKeys="a", s3__prefix="c"),
        NO,
    ),
    "several operators must all hold": Case(
        [allow(condition={"StringEquals": {"aws:TagKeys": "a"}, "StringLike": {"s3:prefix": "b*"}})],
        get(aws__TagKeys="a"),
        NO,
    ),
    "the names of keys are not case-sensitive": Case(
        [allow(condition={"StringEquals": {"AWS:tagkeys": "a"}})], get(aws__TagKeys="a")
    ),
    "a key that the request does not have matches nothing": asked("StringEquals", "churn", decided=NO),
    "… but for a negated operator": asked("StringNotEquals", "churn"),
    "… and with IfExists": asked("StringEqualsIfExists", "churn"),
    "StringNotEquals holds only if no value is equal": asked(
        "StringNotEquals", ["a", "churn"], has="churn", decided=NO
    ),
    "StringLike has wildcards": asked("StringLike", "slots#*", has="slots#ml.m5.xlarge"),
    "… and is case-sensitive": asked("StringLike", "slots#*", has="Slots#a", decided=NO),
    "… and matches as a whole": asked("StringLike", "slots#", has="slots#a", decided=NO),
    "Null true wants the key to be absent": asked("Null", "true"),
    "… and not to be there": asked("Null", "true", has="a", decided=NO),
    "Null false wants the key to be there": asked("Null", "false", has="a"),
    "… and not to be absent": asked("Null", "false", decided=NO),
    "ForAllValues wants each value to match one of the policy's": asked(
        "ForAllValues:StringLike", ["a*", "b"], has=["b", "ab"]
    ),
    "… not only some": asked("ForAllValues:StringLike", "a*", has=["a", "b"], decided=NO),
    "… and holds for a request without the key": asked("ForAllValues:StringLike", "a*"),
    "… unless Null asks for it": Case(
        [allow(condition={"ForAllValues:StringLike": {"aws:TagKeys": "a*"}, "Null": {"aws:TagKeys": "false"}})],
        get(),
        NO,
    ),
    "ForAllValues with a negated operator wants no value to match": asked(
        "ForAllValues:StringNotLike", ["a*", "b*"], has=["c", "bc"], decided=NO
    ),
    "… which is so where all are others": asked("ForAllValues:StringNotLike", ["a*", "b*"], has=["c", "d"]),
    "… and which with StringEquals is exact": asked("ForAllValues:StringEquals", "a*", has=["ab"], decided=NO),
    "ForAnyValue wants one value to match": asked("ForAnyValue:StringEquals", "a", has=["b", "a"]),
    "… and does not hold without the key": asked("ForAnyValue:StringEquals", "a", decided=NO),
}


@pytest.mark.parametrize("sentence", CASES)
def test_it_decides_as_documented(sentence: str) -> None:
    case = CASES[sentence]
    assert decision(case.statements, case.request) == case.decided


@pytest.mark.parametrize(
    "statement",
    [
        allow(resource="arn:aws:s3:::${aws:PrincipalAccount}/*"),
        allow(condition={"StringEquals": {"aws:TagKeys": "${aws:PrincipalAccount}"}}),
        allow(condition={"StringResembles": {"aws:TagKeys": "a"}}),
    ],
    ids=["a variable in a resource", "a variable in a condition", "an unknown operator"],
)
def test_what_it_does_not_know_allows_nothing(statement: dict[str, Any]) -> None:
    request = Request("s3:GetObject", "arn:aws:s3:::000000000000/a", {"aws:TagKeys": ["000000000000", "a"]})
    assert decision([statement], request) == NO


def test_the_template_asks_for_nothing_that_was_not_tried_here() -> None:
    tried = {operator for case in CASES.values() for entry in case.statements for operator in entry["Condition"]}
    for role in roles().values():
        for statement in role.statements:
            assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}, statement
            assert set(statement.get("Condition", {})) <= tried, statement
            assert "${" not in str(statement), statement
            assert statement["Effect"] == "Allow", statement
