"""What an account may demand of a stack: a boundary and a path for roles, a VPC, and keys of its own."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ministack.services.cloudformation import engine  # type: ignore[import-untyped]

from tests.security.policies import DATA_KEY, FUNCTIONS, NAMES, PARAMETERS, SPECS_KEY, decision, roles
from tests.security.policies import Request as Asked
from tests.security.translated import ACCOUNT, resources, translated
from tests.template import ROOT, TEMPLATE

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/teams/boundary"
PATH = "/teams/training/"
OPTIONAL = ("PermissionsBoundaryArn", "RolePath", "SubnetIds", "SecurityGroupIds", "SpecsKmsKeyArn", "DataKmsKeyArn")
BARE = {"AllowedRoleArns": PARAMETERS["AllowedRoleArns"]}
OBJECT = "arn:aws:s3:::SpecsBucket/runs/a.json"
ENCRYPTION, KEY = "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"


def made(kind: str, **parameters: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the resources of a kind, as the template makes them."""
    found = resources({}, **{**BARE, **parameters})
    return {name: entry["Properties"] for name, entry in found.items() if entry["Type"] == kind}


def encryption_of_table(**parameters: str) -> dict[str, Any]:
    (table,) = made("AWS::DynamoDB::Table", **parameters).values()
    found: dict[str, Any] = table["SSESpecification"]
    return found


def encryption_of_queues(**parameters: str) -> list[tuple[Any, Any]]:
    queues = made("AWS::SQS::Queue", **parameters).values()
    return [(queue["SqsManagedSseEnabled"], queue.get("KmsMasterKeyId")) for queue in queues]


def encryption_of_bucket(**parameters: str) -> dict[str, Any]:
    (bucket,) = made("AWS::S3::Bucket", **parameters).values()
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    found: dict[str, Any] = rule
    return found


def test_each_role_has_the_boundary_and_the_path_also_one_that_sam_might_make() -> None:
    given = made("AWS::IAM::Role", **{**PARAMETERS, "PermissionsBoundaryArn": BOUNDARY, "RolePath": PATH})
    assert len(given) == 10
    assert {(role["PermissionsBoundary"], role["Path"]) for role in given.values()} == {(BOUNDARY, PATH)}


def test_each_policy_has_the_path() -> None:
    given = made("AWS::IAM::ManagedPolicy", **{**PARAMETERS, "RolePath": PATH})
    assert len(given) == 10
    assert {policy["Path"] for policy in given.values()} == {PATH}


@pytest.mark.parametrize("kind", ["AWS::IAM::Role", "AWS::IAM::ManagedPolicy"])
def test_without_the_parameters_roles_and_policies_have_neither(kind: str) -> None:
    for properties in made(kind).values():
        assert not {"PermissionsBoundary", "Path"} & properties.keys()


def test_all_functions_are_attached_to_the_vpc() -> None:
    functions = made("AWS::Lambda::Function", **PARAMETERS)
    assert len(functions) == len(FUNCTIONS)
    for function in functions.values():
        assert function["VpcConfig"] == {
            "SubnetIds": PARAMETERS["SubnetIds"].split(","),
            "SecurityGroupIds": [PARAMETERS["SecurityGroupIds"]],
        }


def test_without_subnets_no_function_is_attached_to_a_vpc() -> None:
    assert not [name for name, function in made("AWS::Lambda::Function").items() if "VpcConfig" in function]


def test_each_function_may_be_attached_to_a_vpc_and_may_not_use_that_itself() -> None:
    interface = f"arn:aws:ec2:us-east-1:{ACCOUNT}:network-interface/eni-1"
    for function, role in roles().items():
        assert role.allows(Asked("ec2:CreateNetworkInterface", interface)), function
        own = {"lambda:SourceFunctionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function}"}
        assert not role.allows(Asked("ec2:CreateNetworkInterface", interface, own)), function


def test_without_a_key_nothing_uses_a_key_that_costs_money() -> None:
    assert encryption_of_table() == {"SSEEnabled": False}  # a key that AWS owns
    assert encryption_of_queues() == [(True, None)] * 4
    assert encryption_of_bucket() == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert not [name for name, group in made("AWS::Logs::LogGroup").items() if "KmsKeyId" in group]
    topics = made("AWS::SNS::Topic", NotificationEmail="a@example.com", ChatNotices="true")
    assert len(topics) == 2
    assert not [name for name, topic in topics.items() if "KmsMasterKeyId" in topic]


def test_table_and_queues_are_encrypted_with_the_key_for_data() -> None:
    assert encryption_of_table(DataKmsKeyArn=DATA_KEY) == {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": DATA_KEY,
    }
    assert encryption_of_queues(DataKmsKeyArn=DATA_KEY) == [(False, DATA_KEY)] * 4
    assert encryption_of_bucket(DataKmsKeyArn=DATA_KEY) == encryption_of_bucket()


def test_the_bucket_is_encrypted_with_the_key_for_specs() -> None:
    assert encryption_of_bucket(SpecsKmsKeyArn=SPECS_KEY) == {
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": SPECS_KEY},
        "BucketKeyEnabled": True,
    }
    assert encryption_of_table(SpecsKmsKeyArn=SPECS_KEY) == encryption_of_table()


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ({}, False),
        ({ENCRYPTION: "aws:kms"}, False),
        ({ENCRYPTION: "aws:kms", KEY: SPECS_KEY}, False),
        ({ENCRYPTION: "AES256"}, True),
        ({ENCRYPTION: "aws:kms", KEY: DATA_KEY}, True),
        ({ENCRYPTION: "aws:kms:dsse", KEY: SPECS_KEY}, True),
    ],
)
def test_an_upload_is_refused_if_it_asks_for_another_encryption_than_the_bucket_has(
    keys: dict[str, str | list[str]], refused: bool
) -> None:
    (policy,) = made("AWS::S3::BucketPolicy", SpecsKmsKeyArn=SPECS_KEY).values()
    upload = Asked("s3:PutObject", OBJECT, keys | {"aws:SecureTransport": "true"})
    statements = policy["PolicyDocument"]["Statement"]
    # What the uploader's own policies allow is not the bucket's affair.
    found = decision([*statements, {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}], upload)
    assert found == ("Deny" if refused else "Allow")


def test_without_a_key_for_specs_only_plain_http_is_refused() -> None:
    (policy,) = made("AWS::S3::BucketPolicy").values()
    assert [statement["Sid"] for statement in policy["PolicyDocument"]["Statement"]] == ["RefusePlainHttp"]


@pytest.mark.parametrize(
    ("subnets", "groups", "refusal"),
    [
        ("", "", None),
        ("subnet-0a1b2c3d", "sg-0a1b2c3d,sg-1a1b2c3d", None),
        ("subnet-0a1b2c3d", "", "SubnetIds is set, but SecurityGroupIds is not"),
        ("", "sg-0a1b2c3d", "SecurityGroupIds is set, but SubnetIds is not"),
    ],
)
def test_subnets_and_security_groups_are_set_together(subnets: str, groups: str, refusal: str | None) -> None:
    template = translated()
    given = {**BARE, "SubnetIds": subnets, "SecurityGroupIds": groups}
    resolved = engine._resolve_parameters(template, [{"Key": name, "Value": value} for name, value in given.items()])
    conditions = engine._evaluate_conditions(template, resolved)
    assert template["Rules"] == TEMPLATE["Rules"]
    if refusal is None:
        engine._evaluate_rules(template, resolved, conditions)
    else:
        with pytest.raises(ValueError, match=refusal):
            engine._evaluate_rules(template, resolved, conditions)


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        (
            "PermissionsBoundaryArn",
            [BOUNDARY, "arn:aws-cn:iam::123456789012:policy/b", "arn:aws:iam::aws:policy/PowerUserAccess"],
            ["boundary", "arn:aws:iam::123456789012:role/b", "arn:aws:iam::123456789012:policy/*"],
        ),
        ("RolePath", ["/", PATH], ["teams", "/teams", "teams/", "/a b/", "//"]),
        ("SubnetIds", ["subnet-0a1b2c3d", "subnet-0a1b2c3d4e5f6a7b8"], ["subnet-1", "vpc-0a1b2c3d", "subnet-0A1B2C3D"]),
        ("SecurityGroupIds", ["sg-0a1b2c3d", "sg-0a1b2c3d4e5f6a7b8"], ["default", "sg-1", "subnet-0a1b2c3d"]),
        (
            "SpecsKmsKeyArn",
            [
                "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab",
            ],
            ["alias/specs", "arn:aws:kms:us-east-1:123456789012:alias/specs", "1234abcd-12ab-34cd-56ef-1234567890ab"],
        ),
        ("DataKmsKeyArn", [DATA_KEY], ["alias/aws/sqs", "arn:aws:kms:us-east-1:123456789012:key/*"]),
    ],
)
def test_a_value_that_cannot_work_is_refused_at_the_deployment(parameter: str, good: list[str], bad: list[str]) -> None:
    declared = TEMPLATE["Parameters"][parameter]
    assert "ConstraintDescription" in declared
    for value in ["", *good]:
        assert re.fullmatch(declared["AllowedPattern"], value), value
    for value in bad:
        assert not re.fullmatch(declared["AllowedPattern"], value), value


def test_all_of_it_is_optional_and_stands_together_in_the_console() -> None:
    assert {TEMPLATE["Parameters"][name]["Default"] for name in OPTIONAL} == {""}
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert list(OPTIONAL) in [group["Parameters"] for group in groups]
    listed = [name for group in groups for name in group["Parameters"]]
    assert sorted(listed) == sorted(TEMPLATE["Parameters"])


def test_the_parameters_of_the_template_are_those_of_the_operators_page() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    table = page.partition("\n## Parameters\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(TEMPLATE["Parameters"])


def test_the_names_of_the_tests_stack_are_those_of_the_template() -> None:
    assert NAMES.keys() <= translated()["Resources"].keys()
