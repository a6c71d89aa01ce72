"""No spec reaches a role, an image or a checkpoint bucket outside of those that the stack allows, by either door."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.request.request_model import load_request_shape
from tests.integration.stack import ROLE, SPEC
from tests.thoroughness import share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.security.watched import WatchedStack

Place = tuple[str | int, ...]

ROLE_AT: Place = ("RoleArn",)
IMAGE_AT: Place = ("AlgorithmSpecification", "TrainingImage")
URI_AT: Place = ("CheckpointConfig", "S3Uri")
ECR = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
ADMIN = "arn:aws:iam::000000000000:role/admin"
EVIL = "evil.example/miner:1"
FOREIGN = {"RoleArn": ADMIN, "AlgorithmImage": EVIL}
ROLES = {
    "another role": ADMIN,
    "a longer name": f"{ROLE}-admin",
    "a shorter name": ROLE[:-1],
    "another path": ROLE.replace("role/", "role/team/"),
    "another account": ROLE.replace("000000000000", "999999999999"),
    "another partition": ROLE.replace("arn:aws:", "arn:aws-cn:"),
    "other letters": ROLE.replace("spot", "Spot"),
    "a star": ROLE.replace("spot-relay-training", "*"),
    "a question mark": ROLE.replace("training", "trainin?"),
    "a star alone": "*",
    "two roles": f"{ROLE},{ADMIN}",
    "a line end": f"{ROLE}\n",
    "a space": f" {ROLE}",
    "a Cyrillic letter": ROLE.replace("a", "\u0430"),
    "fullwidth digits": ROLE.replace("0", "\uff10"),
    "a service": "sagemaker.amazonaws.com",
    "no text": [ROLE],
    "nothing": None,
}
IMAGES = {
    "another registry": EVIL,
    "a registry in front": f"evil.example/{ECR}/miner",
    "ECR's name in the path": "evil.example/1.dkr.ecr.us-east-1.amazonaws.com/miner",
    "ECR's name in front": f"{ECR}.evil.example/miner",
    "a user's part": f"{ECR}@evil.example/miner",
    "a port": f"{ECR}:8443/miner",
    "a subdomain": f"evil.{ECR}/miner",
    "a scheme": f"https://{ECR}/miner",
    "a way up": f"{ECR}/team/../../evil/miner",
    "an encoded way up": f"{ECR}/team/%2e%2e/miner",
    "a backslash": f"{ECR}/team\\..\\miner",
    "capitals": f"{ECR.upper()}/miner",
    "a Cyrillic letter": f"{ECR.replace('a', chr(0x430))}/miner",
    "a division slash": f"evil.example\u2215{ECR}/miner",
    "fullwidth digits": f"{ECR.replace('0', chr(0xFF10))}/miner",
    "a space": f"{ECR}/trainer {EVIL}",
    "the pattern itself": "*.dkr.ecr.*.amazonaws.com/*",
    "a file": "/images/miner",
    "nothing": "",
}
BUCKETS = {
    "another bucket": "s3://other/checkpoints/",
    "an allowed name within": "s3://my-churn-1/checkpoints/",
    "the beginning of an allowed name": "s3://churn/checkpoints/",
    "capitals": "s3://Churn-000000000000/checkpoints/",
    "the pattern itself": "s3://churn-*/checkpoints/",
    "a question mark": "s3://churn-?/checkpoints/",
    "a way up": "s3://churn-000000000000/../other/checkpoints/",
    "a part that stays": "s3://churn-000000000000/./checkpoints/",
    "a backslash": "s3://other\\churn-000000000000/checkpoints/",
    "a user's part": "s3://churn-000000000000@other/checkpoints/",
    "an address": "https://churn-000000000000.s3.amazonaws.com/checkpoints/",
    "an ARN": "s3://arn:aws:s3:::other/checkpoints/",
    "an access point": "s3://arn:aws:s3:us-east-1:999999999999:accesspoint/churn-a/checkpoints/",
    "two slashes": "s3:///other/checkpoints/",
    "a Cyrillic letter": "s3://\u0441hurn-000000000000/checkpoints/",
    "an underline": "s3://churn-_/checkpoints/",
    "a space": "s3://churn-0 /checkpoints/",
    "a line end": "s3://other\nchurn-000000000000/checkpoints/",
    "an access point's alias": "s3://churn-0-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias/checkpoints/",
    "an Object Lambda's alias": "s3://churn-0-abcdefgh--ol-s3/checkpoints/",
    "a directory bucket": "s3://churn-0--use1-az4--x-s3/checkpoints/",
    "a name of many regions": "s3://churn-0.mrap/checkpoints/",
    "two dots": "s3://churn-0..1/checkpoints/",
    "a dot beside a dash": "s3://churn-0.-1/checkpoints/",
    "a way up in other words": "s3://churn-000000000000/%2e%2E/other/",
    "a way up by backslashes": "s3://churn-000000000000/a\\..\\other/",
    "a character that can't be seen": "s3://churn-000000000000/a\u202e/",
    "an escape": "s3://churn-000000000000/a\x1b[31m/",
}
TRICKS = [
    pytest.param(place, value, id=f"{place[-1]}: {name}")
    for place, values in ((ROLE_AT, ROLES), (IMAGE_AT, IMAGES), (URI_AT, BUCKETS))
    for name, value in values.items()
]


def changed(place: Place, value: Any) -> dict[str, Any]:
    """Return the spec of the story with another value at a place of its training job, which may be a new one."""
    made: dict[str, Any] = copy.deepcopy(SPEC)
    inner: Any = made["training_job"]
    for key in place[:-1]:
        inner = inner[0] if isinstance(key, int) else inner.setdefault(key, {})
    inner[place[-1]] = value
    return made


@pytest.fixture(autouse=True)
def anew(stack: WatchedStack) -> None:
    """Begin each test in a stack in which nothing has happened yet."""
    stack.begin()


def refused(stack: WatchedStack, text: str) -> list[dict[str, str]]:
    """Submit a spec by upload and by API; both refuse it with the same problems, and no run is created."""
    assert stack.invoke("submit", stack.upload(text)) == {"batchItemFailures": []}
    reported: list[dict[str, str]] = stack.object("errors/runs/churn.json.json")["errors"]
    code, answer = stack.call("create-run", text)
    assert (code, answer["code"], answer["details"]) == (400, "InvalidSpec", reported)
    assert stack.find("churn") is None
    assert stack.aws.simulator.calls("CreateTrainingJob") == []
    assert stack.keys("status/") == []
    assert all(problem["message"] for problem in reported)
    return reported


def test_the_spec_that_the_others_are_made_of_is_accepted(stack: WatchedStack) -> None:
    assert stack.call("create-run", json.dumps(changed(ROLE_AT, ROLE)))[0] == 202


@pytest.mark.parametrize(("place", "value"), share(TRICKS))
def test_a_trick_is_refused_with_its_place(stack: WatchedStack, place: Place, value: Any) -> None:
    problems = refused(stack, json.dumps(changed(place, value)))
    assert {problem["path"] for problem in problems} == {".".join(("training_job", *map(str, place)))}


def places(shape: Any, *path: str | int) -> Iterator[tuple[Place, str]]:
    """Return every place of CreateTrainingJob's request at which SageMaker takes a role or an image."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from places(member, *path, name)
    elif shape.type_name == "list":
        yield from places(shape.member, *path, 0)
    elif shape.name in FOREIGN:
        yield path, shape.name
    else:
        # Whatever a newer model calls such a thing, its name would tell.
        last = str(path[-1])
        assert not last.endswith(("RoleArn", "Image", "ImageUri")), path


PLACES = dict(places(load_request_shape()))


def test_sagemaker_takes_roles_and_images_where_they_are_looked_for() -> None:
    assert PLACES == {
        ROLE_AT: "RoleArn",
        IMAGE_AT: "AlgorithmImage",
        ("DebugRuleConfigurations", 0, "RuleEvaluatorImage"): "AlgorithmImage",
        ("ProfilerRuleConfigurations", 0, "RuleEvaluatorImage"): "AlgorithmImage",
    }


@pytest.mark.parametrize("place", share(list(PLACES)), ids=lambda place: ".".join(map(str, place)))
def test_a_foreign_role_or_image_is_refused_wherever_sagemaker_takes_one(stack: WatchedStack, place: Place) -> None:
    made = changed((place[0],), [{"RuleConfigurationName": "loss"}]) if 0 in place else copy.deepcopy(SPEC)
    inner: Any = made["training_job"]
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = FOREIGN[PLACES[place]]
    (problem,) = refused(stack, json.dumps(made))
    assert problem["path"].endswith(str(place[-1]))
    assert "this stack" in problem["message"]


@pytest.mark.parametrize(
    "place",
    [
        ("ProfilerConfig", "RoleArn"),
        ("DebugHookConfig", "RoleArn"),
        ("OutputDataConfig", "RoleArn"),
        ("ResourceConfig", "ExecutionRoleArn"),
        ("AlgorithmSpecification", "Image"),
        ("AlgorithmSpecification", "TrainingImageConfig", "RoleArn"),
        ("CheckpointConfig", "RoleArn"),
        ("CheckpointConfig", "s3uri"),
        ("roleArn",),
        ("ExecutionRoleArn",),
        ("CanaryImage",),
        ("TrainingImage",),
    ],
    ids=lambda place: ".".join(place),
)
def test_no_other_place_is_taken_for_one(stack: WatchedStack, place: tuple[str, ...]) -> None:
    problems = refused(stack, json.dumps(changed(place, ADMIN)))
    assert any(
        problem["message"].startswith("Unknown key") and problem["path"].endswith(place[-1]) for problem in problems
    )


@pytest.mark.parametrize(
    "policy",
    [
        {"canary_image": EVIL},
        {"role_arn": ADMIN},
        {"ladder": [{"instance_type": "ml.m5.xlarge", "RoleArn": ADMIN}]},
        {"ladder": [{"instance_type": "ml.m5.xlarge", "training_image": EVIL}]},
        {"deadline": "PT2H", "expected_runtime": "PT30M", "return_to_spot": {"canary": EVIL}},
    ],
    ids=json.dumps,
)
def test_no_policy_brings_a_role_or_an_image(stack: WatchedStack, policy: dict[str, Any]) -> None:
    problems = refused(stack, json.dumps(SPEC | {"policy": policy}))
    assert all(problem["path"].startswith("policy.") for problem in problems)


def test_a_key_beside_the_training_job_is_refused(stack: WatchedStack) -> None:
    for key in ("RoleArn", "role", "canary_image", "AllowedRoleArns"):
        assert {problem["path"] for problem in refused(stack, json.dumps(SPEC | {key: ADMIN}))} == {key}


@pytest.mark.parametrize("first", [True, False])
def test_of_a_role_given_twice_neither_is_taken(stack: WatchedStack, first: bool) -> None:
    text, own = json.dumps(SPEC), json.dumps({"RoleArn": ROLE})[1:-1]
    other = json.dumps({"RoleArn": ADMIN})[1:-1]
    twice = text.replace(own, f"{other}, {own}" if first else f"{own}, {other}")
    assert twice != text
    (problem,) = refused(stack, twice)
    assert "RoleArn" in problem["path"] + problem["message"]


@pytest.mark.parametrize("body", [{"RoleArn": ADMIN}, {"training_job": {"RoleArn": ADMIN}}, {"canary_image": EVIL}])
def test_no_resumption_changes_what_a_run_was_submitted_with(stack: WatchedStack, body: dict[str, Any]) -> None:
    stack.aws.simulator.play(default={"train_seconds": 90_000})
    assert stack.call("create-run")[0] == 202
    assert stack.call("stop-run")[0] == 202
    stack.clock.passes(5)
    stack.observe("stopped-by-user")
    code, answer = stack.call("resume-run", body)
    assert (code, answer["code"]) == (400, "InvalidSpec")
    assert stack.aws.simulator.created() == ["churn-relay-01"]


def test_a_canary_has_the_role_of_its_run_and_the_image_of_its_run_or_of_the_stack(stack: WatchedStack) -> None:
    deadline = {"deadline": "PT24H", "expected_runtime": "PT30M"}
    ladder = [{"instance_type": "ml.m5.xlarge", "market": "on-demand"}, {"instance_type": "ml.m5.xlarge"}]
    spec = SPEC | {"policy": deadline | {"ladder": ladder}}
    own = SPEC["training_job"]["AlgorithmSpecification"]["TrainingImage"]
    for image, expected in (("", own), (f"{ECR}/sleeper:1", f"{ECR}/sleeper:1")):
        stack.begin()
        stack.aws.simulator.play(default={"train_seconds": 90_000})
        with stack.variable("CANARY_IMAGE", image):
            assert stack.call("create-run", json.dumps(spec))[0] == 202
            stack.checkpoint()
            stack.clock.passes(400)
            stack.tick()
        canary = stack.client("sagemaker").describe_training_job(TrainingJobName="churn-canary-01")
        assert (canary["RoleArn"], canary["AlgorithmSpecification"]["TrainingImage"]) == (ROLE, expected)
