"""What holds for the stack as template.yaml describes it."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest

from spot_relay.domain.rules.limits import Limits
from spot_relay.domain.run.news import DEFAULT_NOTICES, NoticeKind, list_kinds
from spot_relay.domain.run.run import TICK
from spot_relay.settings import (
    PriceSettings,
    RunSettings,
    ScheduleSettings,
    SubmissionSettings,
    TickSettings,
    WidgetSettings,
)
from tests.template import RESOURCES, ROOT, TEMPLATE

FUNCTION, QUEUE, ROLE = "AWS::Serverless::Function", "AWS::SQS::Queue", "AWS::IAM::Role"
FUNCTIONS = ("Submit", "ApiFunction", "Observe", "Tick", "Prices", "Widget")
STATEFUL = ("AWS::DynamoDB::Table", "AWS::S3::Bucket")
NAMES_AN_ITEM = {"Null": {"dynamodb:LeadingKeys": "false"}}


def of_type(*types: str) -> dict[str, dict[str, Any]]:
    """Return the properties of each resource of these types."""
    return {name: entry["Properties"] for name, entry in RESOURCES.items() if entry["Type"] in types}


def timeout_of(function: str) -> int:
    """Return a function's timeout, which may be everyone's."""
    return int(RESOURCES[function]["Properties"].get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"]))


def as_list(value: Any) -> list[Any]:
    """Return a value as a list, be it one already or not."""
    return value if isinstance(value, list) else [value]


def statements() -> list[tuple[str, dict[str, Any]]]:
    """Return every statement of every policy that grants something to a role, with its policy's name."""
    policies = [(name, properties) for name, properties in of_type("AWS::IAM::ManagedPolicy").items()]
    for name, role in of_type(ROLE).items():
        # What is there under a condition counts as if the condition held.
        policies += [(name, policy.get("Fn::If", (None, policy))[1]) for policy in role.get("Policies", [])]
    return [(name, statement) for name, policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def resource_policies() -> list[dict[str, Any]]:
    """Return the policies of the bucket, the queues and the topic."""
    kinds = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
    return [properties["PolicyDocument"] for properties in of_type(*kinds).values()]


def sources() -> dict[str, str]:
    """Return the function that works on each queue."""
    events = [
        (name, event["Properties"])
        for name, function in of_type(FUNCTION).items()
        for event in function.get("Events", {}).values()
        if event["Type"] == "SQS"
    ]
    return {event["Queue"]["Fn::GetAtt"][0]: name for name, event in events}


def dead_letter_queues() -> dict[str, str]:
    """Return the dead-letter queue of each queue that has one."""
    return {
        name: queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for name, queue in of_type(QUEUE).items()
        if "RedrivePolicy" in queue
    }


def test_there_are_the_six_functions_and_their_handlers_exist() -> None:
    assert set(of_type(FUNCTION)) == set(FUNCTIONS)
    folders = []
    for function in of_type(FUNCTION).values():
        layer, folder, handler = function["Handler"].split("/")
        assert (layer, handler) == ("spot_relay_functions", "app.handler")
        assert (ROOT / "functions" / folder / "app.py").exists()
        folders.append(folder)
    assert sorted(folders) == sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


def test_a_function_gets_all_its_code_from_the_layers_so_that_an_update_switches_it_in_one_call() -> None:
    """CloudFormation would update a changed package in a call of its own, before or after the layers."""
    everyone = TEMPLATE["Globals"]["Function"]
    assert everyone["Layers"] == [{"Ref": "DependenciesLayer"}, {"Ref": "SpotRelayLayer"}]
    assert not [name for name, function in of_type(FUNCTION).items() if {"CodeUri", "Layers"} & function.keys()]
    (package,) = (ROOT / everyone["CodeUri"]).iterdir()
    content = hashlib.sha256(package.read_bytes()).hexdigest()
    assert (package.name, content) == (
        "README.txt",
        "07222a96a3b9e5f6e4d461735ec1db1df7e2192a37ed09cb9be34739713dbc57",
    ), "This package must stay the same for ever."


def test_all_functions_share_one_environment() -> None:
    assert not [name for name, function in of_type(FUNCTION).items() if "Environment" in function]
    given = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    switches = ("METRICS_BY_PLACEMENT", "WIDGET_ACTIONS", "ALLOW_HOSTING", "ALLOW_CHECKPOINT_COPIES")
    env = {name: "1" for name in given if name != "ATTEMPT_LIMITS"} | {
        "PRICE_FILE": "",
        "NOTICES": "ended",
        **dict.fromkeys(switches, "true"),
    }
    for settings in (RunSettings, SubmissionSettings, ScheduleSettings, TickSettings, PriceSettings, WidgetSettings):
        assert settings.from_env(env)
    assert given["OBSERVE_QUEUE_URL"] == {"Ref": "ObserveQueue"}
    assert given["ATTEMPT_LIMITS"] == {"Ref": "AttemptLimits"}
    assert given["LAUNCH_RATE"] == {"Ref": "LaunchRate"}
    assert given["CANARY_IMAGE"] == {"Ref": "CanaryImage"}
    assert given["ALLOW_HOSTING"] == {"Ref": "AllowHosting"}
    assert given["SCHEDULE_GROUP"] == {"Ref": "TemplateSchedules"}
    assert given["SCHEDULE_ROLE_ARN"] == {"Fn::GetAtt": ["TemplateSchedulesRole", "Arn"]}
    assert given["SUBMIT_QUEUE_ARN"] == {"Fn::GetAtt": ["SubmitQueue", "Arn"]}
    assert given["ALLOW_CHECKPOINT_COPIES"] == {"Ref": "AllowCheckpointCopies"}
    assert given["TRIGGER_BUCKETS"] == {"Fn::Join": [",", {"Ref": "TriggerBuckets"}]}
    assert given["PRICE_FILE"] == {"Ref": "PriceFile"}
    assert given["METRICS_BY_PLACEMENT"] == {"Ref": "MetricsByPlacement"}
    assert given["WIDGET_ACTIONS"] == {"Ref": "WidgetActions"}
    assert given["NOTICES"] == {"Ref": "Notices"}


def test_the_parameter_takes_the_notices_that_the_functions_know_and_has_their_default() -> None:
    parameter = TEMPLATE["Parameters"]["Notices"]
    pattern = re.compile(parameter["AllowedPattern"])
    assert all(pattern.fullmatch(name) for name in ("all", "none", *NoticeKind, ",".join(NoticeKind)))
    assert not any(pattern.fullmatch(name) for name in ("", "all,ended", "ended,", "ended, submitted", "other"))
    default = parameter["Default"]
    assert pattern.fullmatch(default)
    assert list_kinds(default.split(",")) == DEFAULT_NOTICES


def test_every_queue_that_is_worked_on_has_a_dead_letter_queue_of_its_own() -> None:
    assert set(sources()) == set(dead_letter_queues())
    assert len(set(dead_letter_queues().values())) == len(sources())


def test_there_is_an_alarm_on_one_message_in_each_dead_letter_queue() -> None:
    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible" and alarm["Threshold"] == 1
    }
    assert watched == set(dead_letter_queues().values())


def test_a_message_stays_hidden_six_times_as_long_as_its_function_may_run() -> None:
    for queue, function in sources().items():
        assert of_type(QUEUE)[queue]["VisibilityTimeout"] >= 6 * timeout_of(function)


def test_a_dead_letter_is_kept_at_least_as_long_as_a_live_one() -> None:
    queues = of_type(QUEUE)
    for queue, dead in dead_letter_queues().items():
        assert queues[dead]["MessageRetentionPeriod"] >= queues[queue]["MessageRetentionPeriod"]


def test_one_bad_message_does_not_bring_its_batch_back() -> None:
    for function in sources().values():
        for event in RESOURCES[function]["Properties"]["Events"].values():
            assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_every_function_has_a_role_and_a_log_group_of_its_own() -> None:
    functions = of_type(FUNCTION)
    roles = {function["Role"]["Fn::GetAtt"][0] for function in functions.values()}
    groups = {function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions.values()}
    assert len(roles) == len(groups) == len(functions)
    assert roles < set(of_type(ROLE))
    assert groups == set(of_type("AWS::Logs::LogGroup"))


def test_logs_do_not_stay_for_ever() -> None:
    assert all("RetentionInDays" in group for group in of_type("AWS::Logs::LogGroup").values())


def test_a_role_is_passed_only_to_sagemaker_and_if_it_is_allowed_or_to_the_schedules_if_it_is_theirs() -> None:
    passing = [statement for _, statement in statements() if "iam:PassRole" in as_list(statement["Action"])]
    assert [statement["Action"] for statement in passing] == ["iam:PassRole", "iam:PassRole"]
    assert [(statement["Resource"], statement["Condition"]) for statement in passing] == [
        ({"Ref": "AllowedRoleArns"}, {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}),
        (
            {"Fn::GetAtt": ["TemplateSchedulesRole", "Arn"]},
            {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        ),
    ]


def test_the_schedules_of_templates_are_in_a_group_of_the_stack_and_may_only_send_to_one_queue() -> None:
    keeping = [entry for _, entry in statements() if "scheduler:" in str(entry["Action"])]
    assert [entry["Resource"]["Fn::Sub"].rpartition(":")[2] for entry in keeping] == ["schedule/${TemplateSchedules}/*"]
    role = RESOURCES["TemplateSchedulesRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"]["ArnEquals"] == {"aws:SourceArn": {"Fn::GetAtt": ["TemplateSchedules", "Arn"]}}
    granted = [entry for name, entry in statements() if name == "TemplateSchedulesRole"]
    assert [(entry["Action"], entry["Resource"]) for entry in granted] == [
        ("sqs:SendMessage", {"Fn::GetAtt": ["SubmitQueue", "Arn"]})
    ]


def test_data_starts_runs_only_if_it_arrives_in_a_bucket_that_the_operator_names() -> None:
    rule = RESOURCES["DataArrivedRule"]
    assert rule["Condition"] == "ReceivesData"
    assert rule["Properties"]["EventPattern"]["detail"]["bucket"]["name"] == {"Ref": "TriggerBuckets"}
    allowed = re.compile(TEMPLATE["Parameters"]["TriggerBuckets"]["AllowedPattern"])
    assert allowed.fullmatch("my-data.2026")
    assert allowed.fullmatch("")
    assert not allowed.fullmatch("*")


def test_an_allowed_role_is_named_in_full() -> None:
    allowed = re.compile(TEMPLATE["Parameters"]["AllowedRoleArns"]["AllowedPattern"])
    assert allowed.fullmatch("arn:aws:iam::123456789012:role/service-role/training")
    assert not allowed.fullmatch("arn:aws:iam::123456789012:role/*")
    assert not allowed.fullmatch("*")


def test_no_role_may_do_everything_to_something_or_something_to_everything() -> None:
    for policy, statement in statements():
        assert all("*" not in action for action in as_list(statement["Action"])), policy
        # The Price List, X-Ray and what describes a VPC have no resources that a policy could name.
        without_resources = ("pricing:", "xray:", "ec2:Describe")
        nameless = all(action.startswith(without_resources) for action in as_list(statement["Action"]))
        assert "*" not in as_list(statement["Resource"]) or nameless, policy
        assert statement["Effect"] == "Allow", policy


def touched(policy: str | None = None) -> list[str]:
    """What the statements about SageMaker are about, of one policy, or of all but those on hosting."""
    found = [
        entry
        for name, entry in statements()
        if any("sagemaker:" in action for action in as_list(entry["Action"]))
        and (name == policy if policy else name != "HostingPolicy")
    ]
    return [resource["Fn::Sub"].rpartition(":")[2] for entry in found for resource in as_list(entry["Resource"])]


def test_training_jobs_are_touched_only_if_their_name_is_an_attempts_or_a_canarys() -> None:
    assert set(touched()) == {"training-job/*-relay-*", "training-job/*-canary-*"}


def test_models_are_touched_only_if_their_name_is_an_attempts_and_only_by_the_function_observe() -> None:
    assert set(touched("HostingPolicy")) == {
        "model/*-relay-*",
        "endpoint-config/*-relay-*",
        "endpoint/*",
        "model-package/*",
    }
    holders = [
        name
        for name, role in of_type("AWS::IAM::Role").items()
        if "HostingPolicy" in str(role.get("ManagedPolicyArns"))
    ]
    assert holders == ["ObserveRole"]


def test_the_tick_can_neither_read_runs_nor_change_them() -> None:
    granted = {action for name, entry in statements() if name == "TickRole" for action in as_list(entry["Action"])}
    assert granted == {"logs:CreateLogStream", "logs:PutLogEvents", "dynamodb:Query", "sqs:SendMessage"}
    assert {"Ref": "AdvanceRunsPolicy"} not in RESOURCES["TickRole"]["Properties"]["ManagedPolicyArns"]


def test_the_prices_are_all_that_their_function_can_write_and_it_reads_no_run() -> None:
    granted = {entry["Sid"]: entry for name, entry in statements() if name == "PricesRole"}
    assert {sid: entry["Action"] for sid, entry in granted.items() if sid != "Log"} == {
        "KeepPrices": "dynamodb:PutItem",
        "ReadPriceList": "pricing:GetProducts",
        "ReadPriceFile": "s3:GetObject",
        "DecryptPriceFile": "kms:Decrypt",
    }
    assert granted["KeepPrices"]["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": "prices#*"},
        **NAMES_AN_ITEM,
    }
    assert granted["ReadPriceFile"]["Resource"]["Fn::Sub"][0] == "arn:${AWS::Partition}:s3:::${Object}"
    assert {"Ref": "AdvanceRunsPolicy"} not in RESOURCES["PricesRole"]["Properties"]["ManagedPolicyArns"]


@pytest.mark.parametrize("uri", ["", "s3://prices/list.json", "s3://my.prices-1/a/b/list+(v=2).json"])
def test_a_price_file_that_the_template_lets_through_is_read(uri: str) -> None:
    assert re.fullmatch(TEMPLATE["Parameters"]["PriceFile"]["AllowedPattern"], uri)
    assert PriceSettings.from_env({"TABLE_NAME": "runs", "PRICE_FILE": uri}).price_file == (uri or None)


@pytest.mark.parametrize(
    "uri",
    ["prices.json", "s3://prices", "s3://prices/", "s3://prices/*", "s3://prices/l?st", "s3://prices/${aws:username}"],
)
def test_a_price_file_that_is_no_one_object_is_refused_at_the_deployment(uri: str) -> None:
    assert not re.fullmatch(TEMPLATE["Parameters"]["PriceFile"]["AllowedPattern"], uri)


def test_the_tick_comes_as_often_as_the_rules_assume() -> None:
    schedule = RESOURCES["EveryMinute"]["Properties"]
    assert schedule["ScheduleExpression"] == f"rate({TICK / timedelta(minutes=1):g} minute)"
    # The reasons that users read name it in words: "Trying again every minute."
    assert timedelta(minutes=1) == TICK
    assert schedule["Target"]["Arn"] == {"Fn::GetAtt": ["Tick", "Arn"]}


def test_prices_are_read_once_a_week_and_first_when_the_stack_is_made() -> None:
    schedule = RESOURCES["EveryWeek"]["Properties"]
    assert schedule["ScheduleExpression"] == "rate(7 days)"
    assert schedule["Target"]["Arn"] == {"Fn::GetAtt": ["Prices", "Arn"]}
    assert "StartDate" not in schedule


def test_items_are_updated_only_if_they_count_attempts_or_turns_or_by_whoever_keeps_runs() -> None:
    updating = [entry for _, entry in statements() if as_list(entry["Action"]) == ["dynamodb:UpdateItem"]]
    assert [entry["Condition"] for entry in updating] == [
        {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["slots#*", "turns#*"]}, **NAMES_AN_ITEM}
    ]


@pytest.mark.parametrize(
    ("owner", "sid", "actions", "kept_from"),
    [
        ("OpenRunsPolicy", "ReadRunsPrefixesAndPrices", ["GetItem"], ["bursts#*", "slots#*", "turns#*"]),
        (
            "OpenRunsPolicy",
            "KeepRunsAndPrefixes",
            ["PutItem", "UpdateItem", "ConditionCheckItem"],
            ["bursts#*", "prices#*", "slots#*", "turns#*"],
        ),
        (
            "ObserveRole",
            "ReadRunsAndNames",
            ["GetItem"],
            ["bursts#*", "checkpoints#*", "prices#*", "slots#*", "turns#*"],
        ),
        (
            "ObserveRole",
            "KeepRuns",
            ["PutItem", "UpdateItem"],
            ["bursts#*", "checkpoints#*", "names#*", "prices#*", "slots#*", "turns#*"],
        ),
    ],
)
def test_whoever_keeps_runs_is_kept_from_what_else_lies_in_their_table_and_is_not_needed(
    owner: str, sid: str, actions: list[str], kept_from: list[str]
) -> None:
    (keeping,) = [entry for name, entry in statements() if (name, entry.get("Sid")) == (owner, sid)]
    assert as_list(keeping["Action"]) == [f"dynamodb:{action}" for action in actions]
    (condition,) = keeping["Condition"]["ForAllValues:StringNotLike"].items()
    assert (condition[0], as_list(condition[1])) == ("dynamodb:LeadingKeys", kept_from)


def test_no_condition_holds_for_want_of_a_key() -> None:
    """What is asked ``ForAllValues`` is true of a request that has no value at all."""
    for policy, statement in statements():
        condition = statement.get("Condition", {})
        for operator, keys in condition.items():
            if operator.startswith("ForAllValues:"):
                assert condition["Null"].items() >= dict.fromkeys(keys, "false").items(), (policy, statement["Sid"])


def test_whoever_advances_runs_finds_those_that_wait_and_may_wake_them() -> None:
    granted = [entry for name, entry in statements() if name == "AdvanceRunsPolicy"]
    assert [entry["Resource"] for entry in granted if "dynamodb:Query" in as_list(entry["Action"])] == [
        {"Fn::Sub": "${RunsTable.Arn}/index/waiting"}
    ]
    assert [entry["Resource"] for entry in granted if entry["Action"] == "sqs:SendMessage"] == [
        {"Fn::GetAtt": ["ObserveQueue", "Arn"]}
    ]
    for name in ("Submit", "ApiFunction", "Observe"):
        function = RESOURCES[name]["Properties"]
        policies = RESOURCES[function["Role"]["Fn::GetAtt"][0]]["Properties"]["ManagedPolicyArns"]
        assert {"Ref": "AdvanceRunsPolicy"} in policies
        assert ({"Ref": "OpenRunsPolicy"} in policies) is (name != "Observe")


def test_only_the_function_that_wakes_others_by_its_own_queue_may_call_itself() -> None:
    loops = {
        name: function["RecursiveLoop"] for name, function in of_type(FUNCTION).items() if "RecursiveLoop" in function
    }
    assert loops == {"Observe": "Allow"}


@pytest.mark.parametrize("limits", ["", "*=1", "ml.p3.2xlarge=4,*=20", "ml.p6-b200.48xlarge=999,ml.trn1n.32xlarge=7"])
def test_limits_that_the_template_lets_through_are_read(limits: str) -> None:
    assert allowed_limits().fullmatch(limits)
    written = [f"{name}={number}" for name, number in Limits.parse(limits).by_type.items()]
    assert written == [part for part in limits.split(",") if part]


@pytest.mark.parametrize(
    "limits",
    [" ", "4", "ml.p3.2xlarge", "ml.p3.2xlarge=0", "*=1000", "*=-1", "*=4,", ",*=4", "*=4, ml.p3.2xlarge=1", "**=4"],
)
def test_limits_that_cannot_be_read_are_refused_at_the_deployment(limits: str) -> None:
    assert not allowed_limits().fullmatch(limits)


def allowed_limits() -> re.Pattern[str]:
    """Return the pattern of the parameter AttemptLimits."""
    return re.compile(TEMPLATE["Parameters"]["AttemptLimits"]["AllowedPattern"])


def test_bucket_queues_and_topic_refuse_plain_http() -> None:
    for policy in resource_policies():
        # What is there under a condition has tests of its own (tests/security/test_parameters.py).
        refusals = [entry for entry in policy["Statement"] if entry.get("Effect") == "Deny"]
        assert [entry["Condition"] for entry in refusals] == [{"Bool": {"aws:SecureTransport": "false"}}]
    refusing = {queue["Ref"] for policy in of_type("AWS::SQS::QueuePolicy").values() for queue in policy["Queues"]}
    assert refusing == set(of_type(QUEUE))


def test_only_one_rule_may_send_to_a_queue() -> None:
    for policy in of_type("AWS::SQS::QueuePolicy").values():
        for entry in policy["PolicyDocument"]["Statement"]:
            if entry["Effect"] == "Allow":
                assert list(entry["Condition"]) == ["ArnEquals"]
                assert entry["Principal"] == {"Service": "events.amazonaws.com"}


def test_what_is_kept_survives_its_stack() -> None:
    for entry in RESOURCES.values():
        if entry["Type"] in STATEFUL:
            assert (entry["DeletionPolicy"], entry["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_the_bucket_is_closed_to_the_public() -> None:
    access = RESOURCES["SpecsBucket"]["Properties"]["PublicAccessBlockConfiguration"]
    assert len(access) == 4
    assert all(access.values())


def test_the_table_has_its_indexes_its_expiry_and_its_backups() -> None:
    table = RESOURCES["RunsTable"]["Properties"]
    keys = {index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]] for index in indexes(table)}
    assert keys == {
        "due": ["open", "check_at"],
        "waiting": ["waits_for", "waits_since"],
        "by_status": ["status", "created"],
    }
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_the_indexes_of_runs_that_are_due_or_wait_hold_keys_only() -> None:
    kept = {index["IndexName"]: index["Projection"] for index in indexes(RESOURCES["RunsTable"]["Properties"])}
    assert kept["due"] == kept["waiting"] == {"ProjectionType": "KEYS_ONLY"}


def indexes(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a table's global secondary indexes."""
    given: list[dict[str, Any]] = table["GlobalSecondaryIndexes"]
    return given


def test_every_route_of_the_api_wants_a_signature() -> None:
    assert RESOURCES["Api"]["Properties"]["Auth"] == {"DefaultAuthorizer": "AWS_IAM", "InvokeRole": "NONE"}
    routes = [event["Properties"] for event in RESOURCES["ApiFunction"]["Properties"]["Events"].values()]
    assert {(route["Method"], route["Path"]) for route in routes} == {
        ("POST", "/runs"),
        ("GET", "/runs"),
        ("GET", "/runs/{id}"),
        ("POST", "/runs/{id}/stop"),
        ("POST", "/runs/{id}/resume"),
        ("POST", "/runs/{id}/move"),
        ("POST", "/runs/{id}/deadline"),
    }
    assert all("Auth" not in route for route in routes)


def test_the_metrics_of_single_methods_which_cost_money_are_off() -> None:
    (settings,) = RESOURCES["Api"]["Properties"]["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"], settings["MetricsEnabled"]) == ("/*", "*", False)
    # The alarm watches a metric that API Gateway publishes anyway.
    watched = {dimension["Name"] for dimension in RESOURCES["ApiAlarm"]["Properties"]["Dimensions"]}
    assert watched == {"ApiName", "Stage"}


def test_the_api_answers_before_api_gateway_gives_up() -> None:
    assert timeout_of("ApiFunction") <= 29


@pytest.mark.parametrize(
    ("rule", "detail"),
    [
        ("TrainingJobChangedRule", {"TrainingJobName": [{"wildcard": "*-relay-*"}, {"wildcard": "*-canary-*"}]}),
        ("EndpointChangedRule", {"EndpointConfigName": [{"wildcard": "*-relay-*"}]}),
        (
            "SpecUploadedRule",
            {"object": {"key": [{"prefix": "runs/"}]}},
        ),
    ],
)
def test_a_rule_lets_through_only_what_concerns_us(rule: str, detail: dict[str, Any]) -> None:
    given = RESOURCES[rule]["Properties"]["EventPattern"]["detail"]
    assert {name: given[name] for name in detail} == detail


def test_local_addresses_are_empty_unless_they_are_given() -> None:
    for parameter in ("EndpointUrl", "SageMakerEndpointUrl"):
        assert TEMPLATE["Parameters"][parameter]["Default"] == ""


def test_the_events_of_endpoints_come_only_to_a_stack_that_hosts_and_both_queues_take_them() -> None:
    rule = TEMPLATE["Resources"]["EndpointChangedRule"]
    assert rule["Condition"] == "Hosts"
    (target,) = rule["Properties"]["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["ObserveQueue", "Arn"]}
    for queue in ("ObserveQueuePolicy", "ObserveDeadLetterQueuePolicy"):
        assert "EndpointChangedRule" in str(TEMPLATE["Resources"][queue])
