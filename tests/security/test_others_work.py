"""Each function is refused what belongs to another, and everything that belongs to none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.stack import BUCKET, CHECKPOINTS, QUEUE, ROLE, TABLE
from tests.security.calls import hosted, queue, table, training_job
from tests.security.policies import (
    DATA_KEY,
    FUNCTIONS,
    NAMES,
    PARAMETERS,
    SPECS_KEY,
    Grant,
    Request,
    as_list,
    example,
    roles,
)
from tests.security.translated import ACCOUNT, REGION, resources

RUN: dict[str, str | list[str]] = {"dynamodb:LeadingKeys": ["churn"]}
TAGGED: dict[str, str | list[str]] = {"aws:RequestTag/spot-relay:run-id": "churn", "aws:TagKeys": ["spot-relay:run-id"]}
CREATED: dict[str, str | list[str]] = {**TAGGED, "sagemaker:TaggingAction": "CreateTrainingJob"}
OF_OURS: dict[str, str | list[str]] = {"aws:ResourceTag/spot-relay:run-id": "churn"}
TO_SAGEMAKER: dict[str, str | list[str]] = {"iam:PassedToService": "sagemaker.amazonaws.com"}
OURS: dict[str, str | list[str]] = {
    "events:source": ["spot-relay"],
    "events:detail-type": ["Spot Relay Run State Change"],
}
OF_CODE: dict[str, str | list[str]] = {"lambda:SourceFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:Submit"}
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus"
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group"
S3 = "arn:aws:s3:::"


def sample(grant: Grant, beyond: frozenset[str] = frozenset()) -> Request:
    """Make a request that a grant allows; of the keys ``beyond``, if there are any."""
    keys: dict[str, Any] = {}
    # Null last: it wants a key to be there, and any value that another operator wants will do.
    for operator, condition in sorted(grant.condition.items(), key=lambda item: item[0] == "Null"):
        for key, value in condition.items():
            if (operator, value) == ("Null", "true"):
                continue  # it wants the key to be absent
            keys[key] = keys.get(key) or SAMPLES[operator](as_list(value), beyond)
    return Request(grant.action, example(grant.resource), keys)


SAMPLES: dict[str, Any] = {
    "ForAllValues:StringEquals": lambda wanted, _: [wanted[0]],
    "ForAllValues:StringLike": lambda wanted, _: [wanted[0].replace("*", "x")],
    "ForAllValues:StringNotLike": lambda _, beyond: [pattern.replace("*", "x") for pattern in sorted(beyond)] or ["x"],
    "Null": lambda *_: "x",
    "StringEquals": lambda wanted, _: wanted[0],
    "StringLike": lambda wanted, _: wanted[0].replace("*", "x"),
}


NOT_LIKE = "ForAllValues:StringNotLike"


def kept_from(grant: Grant) -> frozenset[str]:
    """Name the keys of the table that a grant leaves out."""
    return frozenset(as_list(grant.condition.get(NOT_LIKE, {}).get("dynamodb:LeadingKeys", [])))


def but_for_those(grant: Grant) -> tuple[str, ...]:
    """Return a grant as it would be if it left out no keys."""
    conditions = {operator: keys for operator, keys in grant.condition.items() if operator != NOT_LIKE}
    return (grant.action, grant.resource, str(conditions))


def of_others(function: str) -> list[tuple[str, Request]]:
    """Return a request for all that the other roles grant and this one does not, or not for all of their keys."""
    own = {but_for_those(grant): kept_from(grant) for grant in roles()[function].grants}
    found = []
    for owner, role in roles().items():
        for grant in role.grants:
            shared = own.get(but_for_those(grant))
            beyond = frozenset() if shared is None else shared - kept_from(grant)
            if owner != function and (shared is None or beyond):
                found.append((owner, sample(grant, beyond)))
    return found


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_refused_whatever_another_may_do_and_it_may_not(function: str) -> None:
    theirs = of_others(function)
    assert len(theirs) > 15
    for owner, request in theirs:
        assert roles()[owner].allows(request), f"{owner}, {request}"
        assert not roles()[function].allows(request), f"{owner}'s {request}"


def test_only_a_dry_run_reads_how_many_attempts_hold_a_slot() -> None:
    request = Request("dynamodb:GetItem", table(TABLE), {"dynamodb:LeadingKeys": ["slots#ml.m5.xlarge"]})
    assert [function for function in FUNCTIONS if roles()[function].allows(request)] == ["api"]


@pytest.mark.parametrize("action", ["GetItem", "PutItem", "ConditionCheckItem"])
@pytest.mark.parametrize(
    "key", ["checkpoints#s3://churn-1/a/", "prices#us-east-1", "slots#ml.m5.xlarge", "turns#CreateTrainingJob"]
)
def test_observe_may_do_nothing_with_items_of_the_table_that_are_no_runs_but_count_attempts(
    action: str, key: str
) -> None:
    for keys in ([key], ["churn", key]):
        request = Request(f"dynamodb:{action}", table(TABLE), {"dynamodb:LeadingKeys": keys})
        assert not roles()["observe"].allows(request), str(request)


def test_observe_may_follow_a_name_to_its_run_but_not_redirect_it() -> None:
    name = {"dynamodb:LeadingKeys": ["names#churn"]}
    assert roles()["observe"].allows(Request("dynamodb:GetItem", table(TABLE), name))
    assert not roles()["observe"].allows(Request("dynamodb:PutItem", table(TABLE), name))


OUTSIDE = [
    # The table, in ways that nobody needs; and other tables.
    *(Request(f"dynamodb:{action}", table(TABLE), RUN) for action in ("DeleteItem", "Scan", "BatchWriteItem", "Query")),
    *(
        Request(f"dynamodb:{action}", table(TABLE))
        for action in ("DeleteTable", "UpdateTable", "PutItem", "UpdateItem")
    ),
    *(Request(f"dynamodb:{action}", table("other"), RUN) for action in ("GetItem", "PutItem", "ConditionCheckItem")),
    *(Request(f"dynamodb:{action}", table(f"{TABLE}-2"), RUN) for action in ("GetItem", "PutItem")),
    Request("dynamodb:GetItem", table(TABLE).replace(REGION, "eu-west-1"), RUN),
    Request("dynamodb:GetItem", table(TABLE).replace(ACCOUNT, "999999999999"), RUN),
    Request("dynamodb:UpdateItem", table(TABLE), {"dynamodb:LeadingKeys": ["slots#ml.m5.xlarge", "churn"]}),
    Request("dynamodb:PutItem", table(TABLE), {"dynamodb:LeadingKeys": ["slots#ml.m5.xlarge"]}),
    Request("dynamodb:PutItem", table(TABLE), {"dynamodb:LeadingKeys": ["churn", "prices#us-east-1"]}),
    Request("dynamodb:GetItem", table(TABLE), {"dynamodb:LeadingKeys": ["turns#CreateTrainingJob"]}),
    Request("dynamodb:GetItem", table(TABLE), {"dynamodb:LeadingKeys": ["slots#ml.m5.xlarge", "turns#canaries"]}),
    Request("dynamodb:GetItem", table(TABLE)),
    Request("dynamodb:ConditionCheckItem", table(TABLE), {"dynamodb:LeadingKeys": ["slots#ml.m5.xlarge"]}),
    *(Request("dynamodb:Scan", table(TABLE, index)) for index in ("due", "waiting", "by_status", "*")),
    Request("dynamodb:Query", table(TABLE, "other")),
    Request("dynamodb:Query", table("other", "due")),
    Request("dynamodb:GetItem", table(TABLE, "due"), RUN),
    # Training jobs that are no run's, those that would not say whose they are, and what else SageMaker has.
    *(
        Request(f"sagemaker:{action}", training_job("churn"), CREATED)
        for action in ("CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob", "AddTags", "ListTags")
    ),
    *(
        Request("sagemaker:StopTrainingJob", training_job(name))
        for name in ("relay-01", "churn-relay", "churn-Relay-01")
    ),
    Request("sagemaker:CreateTrainingJob", training_job("churn-relay-01")),
    Request("sagemaker:CreateTrainingJob", training_job("churn-relay-01"), {"aws:RequestTag/team": "a"}),
    Request("sagemaker:AddTags", training_job("churn-relay-01"), TAGGED),
    Request("sagemaker:AddTags", training_job("churn-relay-01"), {"sagemaker:TaggingAction": "CreateProcessingJob"}),
    Request("sagemaker:DeleteTags", training_job("churn-relay-01")),
    Request("sagemaker:DeleteTrainingJob", training_job("churn-relay-01")),
    Request("sagemaker:UpdateTrainingJob", training_job("churn-relay-01")),
    Request("sagemaker:StopTrainingJob", training_job("churn-relay-01").replace(REGION, "eu-west-1")),
    Request("sagemaker:StopTrainingJob", training_job("churn-relay-01").replace(ACCOUNT, "999999999999")),
    Request("sagemaker:StopProcessingJob", training_job("x-relay-01").replace("training", "processing")),
    Request("sagemaker:CreateEndpoint", hosted("endpoint", "live")),
    Request("sagemaker:CreateEndpoint", hosted("endpoint-config", "theirs"), CREATED),
    Request("sagemaker:CreateModel", hosted("model", "churn-relay-01")),
    *(Request("sagemaker:CreateModel", hosted("model", name), CREATED) for name in ("theirs", "churn-relay")),
    Request("sagemaker:CreateEndpointConfig", hosted("endpoint-config", "churn-relay-01")),
    Request("sagemaker:UpdateEndpoint", hosted("endpoint", "live")),
    Request("sagemaker:UpdateEndpoint", hosted("endpoint", "live"), {"aws:ResourceTag/team": "a"}),
    Request("sagemaker:UpdateEndpointWeightsAndCapacities", hosted("endpoint", "live"), OF_OURS),
    Request("sagemaker:InvokeEndpoint", hosted("endpoint", "live"), OF_OURS),
    *(
        Request(f"sagemaker:Delete{action}", hosted(kind, "churn-relay-01"), OF_OURS)
        for action, kind in (("Endpoint", "endpoint"), ("Model", "model"), ("EndpointConfig", "endpoint-config"))
    ),
    Request("sagemaker:AddTags", hosted("endpoint", "live"), TAGGED),
    Request("sagemaker:CreateModelPackageGroup", hosted("model-package-group", "churn")),
    Request("sagemaker:ListTrainingJobs", "*"),
    # Roles, and to whom they are passed.
    *(Request("iam:PassRole", role, TO_SAGEMAKER) for role in (f"{ROLE}-admin", f"{ROLE[:-1]}", ROLE.upper(), "*")),
    Request("iam:PassRole", ROLE.replace("role/", "role/evil/"), TO_SAGEMAKER),
    Request("iam:PassRole", ROLE.replace(ACCOUNT, "999999999999"), TO_SAGEMAKER),
    Request("iam:PassRole", ROLE.replace("arn:aws:", "arn:aws-cn:"), TO_SAGEMAKER),
    Request("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/SubmitRole", TO_SAGEMAKER),
    *(
        Request("iam:PassRole", ROLE, {"iam:PassedToService": f"{service}.amazonaws.com"})
        for service in ("ec2", "lambda", "ecs-tasks", "SageMaker", "sagemaker.evil")
    ),
    Request("iam:PassRole", ROLE),
    *(
        Request(f"iam:{action}", f"arn:aws:iam::{ACCOUNT}:role/SubmitRole")
        for action in ("PutRolePolicy", "AttachRolePolicy", "CreateRole", "UpdateAssumeRolePolicy", "GetRole")
    ),
    Request("sts:AssumeRole", ROLE),
    # Buckets and objects.
    *(
        Request(f"s3:{action}", f"{S3}{CHECKPOINTS}/a")
        for action in ("GetObjectVersion", "PutObjectAcl", "DeleteObject")
    ),
    *(
        Request(f"s3:{action}", f"{S3}{BUCKET}/runs/a.json")
        for action in ("PutObject", "DeleteObject", "DeleteObjectVersion", "PutObjectAcl")
    ),
    *(
        Request(f"s3:{action}", f"{S3}{BUCKET}")
        for action in ("DeleteBucket", "PutBucketPolicy", "PutLifecycleConfiguration", "ListBucketVersions")
    ),
    Request("s3:GetObject", f"{S3}{BUCKET}/status/churn.json"),
    Request("s3:GetObject", f"{S3}{BUCKET}/prices.json2"),
    Request("s3:PutObject", f"{S3}{BUCKET}/prices.json"),
    Request("s3:PutObject", f"{S3}{BUCKET}/Status/churn.json"),
    Request("s3:PutObject", f"{S3}{BUCKET}-2/status/churn.json"),
    *(Request("s3:ListBucket", f"{S3}{name}") for name in ("other", "my-churn-1", "churn", "Churn-1")),
    # Queues, events, logs, and other services.
    *(
        Request(f"sqs:{action}", queue(name))
        for action in ("SendMessage", "ReceiveMessage", "DeleteMessage", "PurgeQueue")
        for name in ("SubmitDeadLetterQueue", "ObserveDeadLetterQueue", "other", f"{QUEUE}-2")
    ),
    *(Request(f"sqs:{action}", queue(QUEUE)) for action in ("PurgeQueue", "DeleteQueue", "SetQueueAttributes")),
    Request("events:PutEvents", f"{BUS}/other", OURS),
    Request("events:PutEvents", f"{BUS}/default"),
    Request("events:PutEvents", f"{BUS}/default", OURS | {"events:source": ["aws.sagemaker"]}),
    Request("events:PutEvents", f"{BUS}/default", OURS | {"events:source": ["spot-relay", "aws.sagemaker"]}),
    Request("events:PutEvents", f"{BUS}/default", OURS | {"events:detail-type": ["Run Due"]}),
    Request("events:PutRule", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/x"),
    Request("logs:PutLogEvents", f"{LOGS}:other:log-stream:x"),
    Request("logs:CreateLogGroup", f"{LOGS}:SubmitLogs:*"),
    Request("logs:DeleteLogGroup", f"{LOGS}:SubmitLogs:*"),
    Request("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:Tick"),
    # Keys: others than the stack's; and the stack's, but not by way of the services that encrypt with them.
    Request("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/x", {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
    *(Request(f"kms:{action}", key) for action in ("Decrypt", "GenerateDataKey") for key in (SPECS_KEY, DATA_KEY)),
    *(
        Request("kms:Decrypt", key, {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"})
        for key, service in ((SPECS_KEY, "sqs"), (SPECS_KEY, "dynamodb"), (DATA_KEY, "s3"), (DATA_KEY, "ebs"))
    ),
    Request("kms:GenerateDataKey", DATA_KEY, {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"}),
    *(Request(f"kms:{action}", key) for action in ("CreateGrant", "Encrypt") for key in (SPECS_KEY, DATA_KEY)),
    # The network, as the code of a function would ask for it.
    *(
        Request(f"ec2:{action}", f"arn:aws:ec2:{REGION}:{ACCOUNT}:network-interface/eni-1", OF_CODE)
        for action in ("CreateNetworkInterface", "DeleteNetworkInterface", "AssignPrivateIpAddresses")
    ),
    Request("ec2:DescribeSubnets", "*", OF_CODE),
    Request("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:x"),
    Request("ec2:RunInstances", "*"),
    Request("pricing:DescribeServices", "*"),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_refused_whatever_belongs_to_none(function: str) -> None:
    assert [str(request) for request in OUTSIDE if roles()[function].allows(request)] == []


HOSTING = [
    Request("sagemaker:CreateModel", hosted("model", "churn-relay-01"), CREATED),
    Request("sagemaker:CreateEndpointConfig", hosted("endpoint-config", "churn-relay-01"), CREATED),
    Request("sagemaker:CreateEndpoint", hosted("endpoint", "live"), CREATED),
    Request("sagemaker:UpdateEndpoint", hosted("endpoint", "live"), OF_OURS),
    Request("sagemaker:DescribeEndpoint", hosted("endpoint", "live")),
    Request("sagemaker:CreateModelPackage", hosted("model-package", "churn/1")),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_the_function_observe_touches_models_and_only_if_the_parameter_says_so(function: str) -> None:
    off = roles(AllowHosting="false")[function]
    assert not any(off.allows(request) for request in HOSTING)
    assert [roles()[function].allows(request) for request in HOSTING] == [function == "observe"] * len(HOSTING)


COPIED = f"{S3}churn-a/checkpoints/churn/model.pt"
COPYING = [
    Request(f"s3:{action}", COPIED)
    for action in ("GetObject", "PutObject", "ListMultipartUploadParts", "AbortMultipartUpload")
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_the_function_observe_touches_checkpoints_and_only_if_the_parameter_says_so(function: str) -> None:
    off = roles(AllowCheckpointCopies="false")[function]
    assert not any(off.allows(request) for request in COPYING)
    assert [roles()[function].allows(request) for request in COPYING] == [function == "observe"] * len(COPYING)
    narrow = roles(AllowedCheckpointBuckets="team-a,team-b-*")[function]
    reached = [name for name in ("team-a", "team-b-1", "team-a-1", "churn-a") if _copies(narrow, name)]
    assert reached == (["team-a", "team-b-1"] if function == "observe" else [])


def _copies(role: Any, bucket: str) -> bool:
    return any(role.allows(Request(request.action, f"{S3}{bucket}/model.pt")) for request in COPYING)


@pytest.mark.parametrize("function", ["submit", "api", "observe"])
def test_a_function_that_lists_checkpoints_reaches_the_buckets_of_the_parameter_alone(function: str) -> None:
    narrow = roles(AllowedCheckpointBuckets="team-a,team-b-*")[function]
    for bucket, allowed in {
        "team-a": True,
        "team-b-1": True,
        "team-a-1": False,
        "team-c": False,
        CHECKPOINTS: False,
    }.items():
        assert narrow.allows(Request("s3:ListBucket", f"{S3}{bucket}")) is allowed, bucket


@pytest.mark.parametrize("function", ["submit", "api", "observe"])
def test_a_function_passes_the_roles_of_the_parameter_alone(function: str) -> None:
    first, second = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("first", "path/second"))
    role = roles(AllowedRoleArns=f"{first},{second}")[function]
    assert [role.allows(Request("iam:PassRole", arn, TO_SAGEMAKER)) for arn in (first, second, ROLE)] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_with_a_bucket_of_the_operators_no_right_is_left_on_another(function: str) -> None:
    given = roles(ExistingSpecsBucket="theirs", PriceFile="s3://theirs-too/p.json")[function]
    named = {grant.resource for grant in given.grants if grant.action.startswith("s3:")}
    assert all(name.removeprefix(S3).split("/")[0] in {"theirs", "theirs-too", "arn:*:s3:::churn-*"} for name in named)
    assert not any(given.allows(Request("s3:PutObject", f"{S3}{BUCKET}/{key}")) for key in ("status/a", "errors/a"))


def test_without_a_price_file_and_without_tracing_their_rights_are_gone() -> None:
    bare = roles(PriceFile="", Tracing="PassThrough")
    actions = {function: {grant.action for grant in role.grants} for function, role in bare.items()}
    assert "s3:GetObject" not in actions["prices"]
    assert not any(action.startswith("xray:") for granted in actions.values() for action in granted)


def test_without_keys_and_without_a_vpc_their_rights_are_gone() -> None:
    bare = roles(SpecsKmsKeyArn="", DataKmsKeyArn="", SubnetIds="", SecurityGroupIds="")
    actions = {grant.action for role in bare.values() for grant in role.grants}
    assert not any(action.startswith(("kms:", "ec2:")) for action in actions)


@pytest.mark.parametrize(
    ("absent", "left"),
    [({"SpecsKmsKeyArn": ""}, {DATA_KEY}), ({"DataKmsKeyArn": ""}, {SPECS_KEY})],
    ids=["data", "specs"],
)
def test_a_key_comes_with_the_rights_to_use_it_and_no_other(absent: dict[str, str], left: set[str]) -> None:
    grants = {grant for role in roles(**absent).values() for grant in role.grants if grant.action.startswith("kms:")}
    assert {grant.resource for grant in grants} == left


def test_a_schedule_may_call_its_own_function_and_do_nothing_else() -> None:
    made = resources(NAMES, **PARAMETERS)
    for schedule, role, function in (
        ("EveryMinute", "EveryMinuteRole", "Tick"),
        ("EveryWeek", "EveryWeekRole", "Prices"),
    ):
        target = made[schedule]["Properties"]["Target"]
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
        assert target["Arn"] == arn
        assert target["RoleArn"].endswith(f"role/{role}")
        (policy,) = made[role]["Properties"]["Policies"]
        assert policy["PolicyDocument"]["Statement"] == [
            {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}
        ]


def test_each_role_is_taken_on_by_the_one_service_that_needs_it() -> None:
    for name, entry in resources(NAMES, **PARAMETERS).items():
        if entry["Type"] == "AWS::IAM::Role":
            (trust,) = entry["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            in_group = name == "TemplateSchedulesRole"
            service = "scheduler" if name.startswith("Every") or in_group else "lambda"
            service = "events" if name == "SlackRole" else service
            assert (trust["Principal"], trust["Action"]) == ({"Service": f"{service}.amazonaws.com"}, "sts:AssumeRole")
            # A scheduler and EventBridge work for everyone; here only for this account.
            account = {"StringEquals": {"aws:SourceAccount": ACCOUNT}} if service != "lambda" else {}
            group = {"ArnEquals": {"aws:SourceArn": NAMES["TemplateSchedules"]}} if in_group else {}
            assert trust.get("Condition", {}) == account | group
