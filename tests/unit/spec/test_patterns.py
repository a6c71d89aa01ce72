"""Which names match a pattern, and which are valid names of images."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Any

import botocore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.spec.patterns import image_matches_any, is_image_name, matches_any
from tests.template import TEMPLATE
from tests.unit.spec.documents import CALM

ANY_ECR = "*.dkr.ecr.*.amazonaws.com/*"
ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
PARTS = st.text(ascii_lowercase + digits, min_size=1, max_size=8)


@pytest.mark.parametrize(
    "name",
    [
        "trainer",
        "local/trainer",
        f"{ECR}/trainer",
        f"{ECR}/team/a__b-c.d/trainer:1.7-1",
        f"{ECR}/trainer@sha256:{'0' * 64}",
        f"{ECR}/trainer:1@sha256:{'0' * 64}",
        "registry.example:5000/trainer:latest",
    ],
)
def test_a_registry_a_repository_and_a_tag_form_a_valid_image_name(name: str) -> None:
    assert is_image_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        f"{ECR}/",
        f"{ECR}//trainer",
        f"{ECR}/team/../trainer",
        f"{ECR}/./trainer",
        f"{ECR}/team%2F..%2Ftrainer",
        f"{ECR}/team\\trainer",
        f"{ECR}/Trainer",
        f"{ECR}/trainer:1/evil",
        f"{ECR}/trainer:",
        f"{ECR}/trainer@sha256:0",
        f"{ECR}/trainer\n",
        f"{ECR}/trainer evil.example/x",
        f"https://{ECR}/trainer",
        f"evil.example@{ECR}/trainer",
        f"evil.example?{ECR}/trainer",
        f"evil.example#.{ECR}/trainer",
        f"{ECR}\u2215trainer",
        "\uff11\uff11\uff11\uff11\uff12\uff12\uff12\uff12\uff13\uff13\uff13\uff13.dkr.ecr.us-east-1.amazonaws.com/trainer",
        "111122223333.dkr.ecr.us-east-1.\u0430mazonaws.com/trainer",
        f"{ECR}/tr\u0430iner",
        f"{ECR}/{'x' * 256}",
    ],
)
def test_any_other_text_is_not_an_image_name(name: str) -> None:
    assert not is_image_name(name)


@pytest.mark.parametrize(
    ("pattern", "image"),
    [
        (ANY_ECR, f"{ECR}/trainer:1"),
        (ANY_ECR, f"{ECR}/team/trainer"),
        (f"{ECR}/*", f"{ECR}/team/trainer"),
        (f"{ECR}/team/*", f"{ECR}/team/a/trainer:1"),
        (f"{ECR}/trainer:?", f"{ECR}/trainer:1"),
        ("*/team/*", f"{ECR}/team/trainer"),
        ("*", f"{ECR}/trainer"),
        ("*", "trainer"),
        ("my-*", "my-algorithm"),
        ("local/*", "local/trainer"),
        ("arn:aws:sagemaker:*:111122223333:algorithm/*", "arn:aws:sagemaker:us-east-1:111122223333:algorithm/mine"),
    ],
)
def test_a_pattern_matches_the_images_it_is_written_for(pattern: str, image: str) -> None:
    assert image_matches_any(image, (pattern,))


@pytest.mark.parametrize(
    ("pattern", "image"),
    [
        (ANY_ECR, f"evil.example/{ECR}/trainer"),
        (ANY_ECR, "evil.example/1.dkr.ecr.us-east-1.amazonaws.com/trainer"),
        (ANY_ECR, f"{ECR}.evil.example/trainer"),
        (ANY_ECR, "evil.example.dkr.ecr.us-east-1.amazonaws.com/trainer"),
        (ANY_ECR, "bucket.dkr.ecr.of.evil.s3.amazonaws.com/trainer"),
        (ANY_ECR, f"{ECR}:8443/trainer"),
        (ANY_ECR, "public.ecr.aws/evil/trainer"),
        (ANY_ECR, "trainer"),
        (f"{ECR}/trainer", f"{ECR}/trainer2"),
        (f"{ECR}/trainer", f"{ECR}/trainer:2"),
        (f"{ECR}/team/*", f"{ECR}/team2/trainer"),
        (f"{ECR}/team/*", f"{ECR}/TEAM/trainer"),
        (f"{ECR}/trainer:?", f"{ECR}/trainer:10"),
        (f"{ECR}/[a-z]", f"{ECR}/a"),
        ("my-*", "my-registry/evil"),
        ("*/team/*", f"{ECR}/evil/team/trainer"),
        (ECR.replace("us-east-1", "*") + "/*", "999999999999.dkr.ecr.us-east-1.amazonaws.com/trainer"),
    ],
)
def test_a_pattern_matches_no_other_image(pattern: str, image: str) -> None:
    assert not image_matches_any(image, (pattern,))


@CALM
@given(at=st.integers(0, 6), more=st.lists(PARTS, max_size=2), less=st.integers(0, 1))
def test_the_default_pattern_matches_only_registries_of_ecr(at: int, more: list[str], less: int) -> None:
    parts = ECR.split(".")
    parts = parts[:at] + more + parts[at + less :]
    of_ecr = len(parts) == 6 and parts[1:3] + parts[4:] == ["dkr", "ecr", "amazonaws", "com"]
    assert image_matches_any(".".join(parts) + "/trainer", (ANY_ECR,)) is of_ecr


@pytest.mark.parametrize("pattern", ["", ".", "a.b", "[ab]", "(a", "a{2}", "\\", "^a$"])
def test_only_star_and_question_mark_are_special(pattern: str) -> None:
    assert matches_any(pattern, (pattern,))
    assert not matches_any(f"{pattern}x", (pattern,))
    assert not any(matches_any(name, (pattern,)) for name in ("a", "b", "axb", "aa") if name != pattern)


@pytest.mark.parametrize(
    "bucket", ["team-data2", "evil-team-data", "team-dat", "TEAM-DATA", "team.data", "team-data\n"]
)
def test_a_pattern_without_a_star_matches_only_itself(bucket: str) -> None:
    assert matches_any("team-data", ("team-data",))
    assert not matches_any(bucket, ("team-data",))


ACCOUNT = "111122223333"
PARTITIONS = json.loads((Path(botocore.__file__).parent / "data" / "partitions.json").read_text("utf-8"))["partitions"]
# The domains of ECR's dual-stack endpoints.
DUAL_STACK = {
    "aws": "on.aws",
    "aws-us-gov": "on.aws",
    "aws-cn": "on.amazonwebservices.com.cn",
    "aws-eusc": "on.amazonwebservices.eu",
}
DEFAULT_IMAGES: tuple[str, ...] = tuple(TEMPLATE["Parameters"]["AllowedImages"]["Default"].split(","))


def registries(partition: dict[str, Any]) -> list[str]:
    """Return the names of a registry in ECR, in every form that a partition has."""
    region, suffix = partition["outputs"]["implicitGlobalRegion"], partition["outputs"]["dnsSuffix"]
    names = [f"{ACCOUNT}.dkr.{service}.{region}.{suffix}" for service in ("ecr", "ecr-fips")]
    if dual := DUAL_STACK.get(partition["id"]):
        names += [f"{ACCOUNT}.dkr-{service}.{region}.{dual}" for service in ("ecr", "ecr-fips")]
    return names


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda partition: partition["id"])
def test_the_default_allows_ecr_in_every_partition_and_form(partition: dict[str, Any]) -> None:
    for registry in registries(partition):
        for reference in ("train", "team/train:1.7-1", "train@sha256:" + "a" * 64, "train:1@sha256:" + "a" * 64):
            image = f"{registry}/{reference}"
            assert is_image_name(image), image
            assert image_matches_any(image, DEFAULT_IMAGES), image


@pytest.mark.parametrize(
    "registry",
    [
        *("docker.io", "public.ecr.aws", "evil.example", f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com.evil.example"),
        *(f"{ACCOUNT}.dkr-ecr.us-east-1.on.aws.evil.example", "x.lambda-url.us-east-1.on.aws"),
        *(f"{ACCOUNT}.dkr.ecr.us-east-1.on.aws", f"{ACCOUNT}.dkr.ecr.us-east-1.evil.gov", "evil.amazonaws.com"),
        *(f"{ACCOUNT}.dkr.ecr-evil.us-east-1.amazonaws.com", f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com:5000"),
    ],
)
def test_the_default_allows_no_other_registry(registry: str) -> None:
    assert not image_matches_any(f"{registry}/train:1", DEFAULT_IMAGES)


def test_the_default_is_a_value_that_the_parameter_accepts() -> None:
    parameter = TEMPLATE["Parameters"]["AllowedImages"]
    assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"])
    assert len(DEFAULT_IMAGES) == len(set(DEFAULT_IMAGES))
