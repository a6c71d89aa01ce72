"""Built-in algorithms have their images by name, in every region that the SageMaker Python SDK knows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.sagemaker.built_in import find_built_in_without_checkpoints
from spot_relay.domain.sagemaker.request import DEFAULT_MAX_RUNTIME_SECONDS
from spot_relay.request.built_in_images import UnknownImageError, find_image, load_images
from spot_relay.spec import parse_submission
from spot_relay.spec.patterns import image_matches_any, is_image_name
from tests.template import TEMPLATE
from tests.unit.spec.documents import ALLOWLIST, ROLE, find_problems

if TYPE_CHECKING:
    from spot_relay.spec.job_rules import Allowlist

PATTERNS = tuple(TEMPLATE["Parameters"]["AllowedImages"]["Default"].split(","))
ANYWHERE = replace(ALLOWLIST, allowed_images=PATTERNS, region="eu-central-1")
EVERY = [
    (f"{name}@{version}", region)
    for name, versions in load_images()["algorithms"].items()
    for version, (_, _, index) in versions.items()
    for region in load_images()["registries"][index]
]
LOCK = Path(__file__).parents[3] / "requirements" / "images.txt"


def spec(algorithm: Any, **options: Any) -> dict[str, Any]:
    """Return a spec that names its algorithm."""
    given = {
        "algorithm": algorithm,
        "role": ROLE,
        "instance_count": 1,
        "instance_type": "ml.m5.xlarge",
        "use_spot_instances": True,
        "max_run": 3600,
        "max_wait": 3600,
        "output_path": "s3://models/churn",
    }
    return {"name": "churn", "estimator": given | options}


@pytest.mark.parametrize(
    ("algorithm", "region", "image"),
    [
        # As sagemaker.image_uris.retrieve of 2.257.7 answers.
        ("xgboost@1.7-1", "us-east-1", "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"),
        ("xgboost@1.0-1", "us-west-2", "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.0-1-cpu-py3"),
        ("forecasting-deepar", "cn-north-1", "390948362332.dkr.ecr.cn-north-1.amazonaws.com.cn/forecasting-deepar:1"),
        ("image-classification@1", "eu-west-1", "685385470294.dkr.ecr.eu-west-1.amazonaws.com/image-classification:1"),
        ("object-detection", "us-iso-east-1", "490574956308.dkr.ecr.us-iso-east-1.c2s.ic.gov/object-detection:1"),
    ],
)
def test_an_algorithm_has_the_image_that_the_sdk_finds(algorithm: str, region: str, image: str) -> None:
    assert find_image(algorithm, region) == image


def test_every_image_is_one_that_a_stack_allows_by_default() -> None:
    assert len(EVERY) > 1000
    images = {find_image(algorithm, region) for algorithm, region in EVERY}
    assert [image for image in images if not is_image_name(image) or not image_matches_any(image, PATTERNS)] == []


def test_the_workshops_algorithms_are_in_every_region_that_any_algorithm_is_in() -> None:
    regions = {region for _, region in EVERY}
    for algorithm in ("xgboost@1.7-1", "forecasting-deepar", "image-classification", "object-detection"):
        assert {region for region in regions if find_image(algorithm, region)} == regions


def test_a_spec_with_an_algorithm_gets_the_image_of_the_stacks_region() -> None:
    job = parse_submission(spec("xgboost@1.7-1"), ANYWHERE).training_job
    assert job["AlgorithmSpecification"] == {
        "TrainingImage": "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        "TrainingInputMode": "File",
    }
    assert job["StoppingCondition"]["MaxRuntimeInSeconds"] < DEFAULT_MAX_RUNTIME_SECONDS


@pytest.mark.parametrize("algorithm", ["forecasting-deepar", "linear-learner", "blazingtext"])
def test_the_rules_for_built_in_algorithms_hold_for_those_named(algorithm: str) -> None:
    job = parse_submission(spec(algorithm), ANYWHERE).training_job
    assert find_built_in_without_checkpoints(job) == algorithm
    assert "estimator.max_wait" in find_problems(spec(algorithm, max_wait=7200), ANYWHERE)


@pytest.mark.parametrize(
    ("document", "allowlist", "problems"),
    [
        (
            spec("xgbost@1.7-1"),
            ANYWHERE,
            snapshot(
                {
                    "estimator.algorithm": 'Found "xgbost", which is not a built-in algorithm. Did you mean "xgboost"? Known are blazingtext, factorization-machines, forecasting-deepar, image-classification, ipinsights, kmeans, knn, lda, linear-learner, ntm, object-detection, object2vec, pca, randomcutforest, semantic-segmentation, seq2seq, sklearn, xgboost.'
                }
            ),
        ),
        (
            spec("wibble"),
            ANYWHERE,
            snapshot(
                {
                    "estimator.algorithm": 'Found "wibble", which is not a built-in algorithm. Known are blazingtext, factorization-machines, forecasting-deepar, image-classification, ipinsights, kmeans, knn, lda, linear-learner, ntm, object-detection, object2vec, pca, randomcutforest, semantic-segmentation, seq2seq, sklearn, xgboost.'
                }
            ),
        ),
        (
            spec("xgboost"),
            ANYWHERE,
            snapshot(
                {
                    "estimator.algorithm": "The version is missing. Write xgboost@version; the versions are 0.90-1, 0.90-2, 1, 1.0-1, 1.2-1, 1.2-2, 1.3-1, 1.5-1, 1.7-1, 3.0-5, latest."
                }
            ),
        ),
        (
            spec("xgboost@9"),
            ANYWHERE,
            snapshot(
                {
                    "estimator.algorithm": 'Found the version "9". Write xgboost@version; the versions are 0.90-1, 0.90-2, 1, 1.0-1, 1.2-1, 1.2-2, 1.3-1, 1.5-1, 1.7-1, 3.0-5, latest.'
                }
            ),
        ),
        (
            spec("lda"),
            replace(ANYWHERE, region="af-south-1"),
            snapshot(
                {
                    "estimator.algorithm": "lda@1 is not known in the stack's region (af-south-1). It is in ap-northeast-1, ap-northeast-2, ap-south-1, ap-southeast-1, ap-southeast-2, ca-central-1, eu-central-1, eu-west-1, eu-west-2, us-east-1, us-east-2, us-gov-west-1, us-iso-east-1, us-isob-east-1, us-west-1, us-west-2. Write the image itself."
                }
            ),
        ),
        (
            spec("lda"),
            replace(ANYWHERE, region=None),
            snapshot(
                {
                    "estimator.algorithm": "lda@1 is not known in the stack's region (None). It is in ap-northeast-1, ap-northeast-2, ap-south-1, ap-southeast-1, ap-southeast-2, ca-central-1, eu-central-1, eu-west-1, eu-west-2, us-east-1, us-east-2, us-gov-west-1, us-iso-east-1, us-isob-east-1, us-west-1, us-west-2. Write the image itself."
                }
            ),
        ),
        (
            spec(7),
            ANYWHERE,
            snapshot({"estimator.algorithm": "Expected name@version of a built-in algorithm, but found 7."}),
        ),
        (
            spec("kmeans", image_uri="x"),
            ANYWHERE,
            snapshot({"estimator.image_uri": "algorithm sets the image, too. Remove one of the two."}),
        ),
        (
            spec("kmeans"),
            replace(ANYWHERE, allowed_images=("111122223333.dkr.ecr.*.amazonaws.com/*",)),
            snapshot(
                {
                    "estimator.algorithm": 'Found "664544806723.dkr.ecr.eu-central-1.amazonaws.com/kmeans:1", which this stack does not allow. Use 111122223333.dkr.ecr.*.amazonaws.com/*.'
                }
            ),
        ),
    ],
)
def test_what_is_no_image_here_is_refused_with_what_there_is(
    document: dict[str, Any], allowlist: Allowlist, problems: dict[str, str]
) -> None:
    assert find_problems(document, allowlist) == problems


def test_an_unknown_region_has_no_images() -> None:
    with pytest.raises(UnknownImageError, match="not known in the stack's region"):
        find_image("kmeans", "mars-north-1")


def test_the_spec_reference_names_every_algorithm() -> None:
    text = (LOCK.parents[1] / "docs" / "spec.md").read_text("utf-8")
    assert [name for name in load_images()["algorithms"] if f"`{name}`" not in text] == []


def test_the_images_are_those_of_the_pinned_sdk() -> None:
    [pinned] = re.findall(r"^sagemaker==(\S+)", LOCK.read_text("utf-8"), re.MULTILINE)
    assert load_images()["source"] == f"sagemaker {pinned}"
