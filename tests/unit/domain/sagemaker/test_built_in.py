"""Built-in algorithms that write no checkpoints are recognised by their images, but for images of one's own."""

from __future__ import annotations

from typing import Any

import pytest

from spot_relay.domain.sagemaker.built_in import find_built_in_without_checkpoints

ROLE = "arn:aws:iam::111122223333:role/training"
IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/blazingtext:1"


def job(image: Any = IMAGE, role: Any = ROLE) -> dict[str, Any]:
    return {"AlgorithmSpecification": {"TrainingImage": image}, "RoleArn": role}


@pytest.mark.parametrize(
    "image",
    [
        IMAGE,
        IMAGE.removesuffix(":1"),
        IMAGE.replace(":1", "@sha256:" + "0" * 64),
        *(
            f"444455556666.{registry}/blazingtext:1"
            for registry in (
                "dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                "dkr-ecr.us-east-1.on.aws",
                "dkr-ecr-fips.us-east-1.on.aws",
                "dkr.ecr.cn-north-1.amazonaws.com.cn",
                "dkr.ecr.us-iso-east-1.c2s.ic.gov",
                "dkr.ecr.eusc-de-east-1.amazonaws.eu",
            )
        ),
    ],
)
@pytest.mark.parametrize(
    "role", [ROLE, ROLE.replace("aws:", "aws-cn:"), "{stack.role}", None, ["a role"]], ids=lambda role: str(role)[:12]
)
def test_an_image_of_another_account_is_recognised_whatever_is_known_of_the_role(image: str, role: Any) -> None:
    assert find_built_in_without_checkpoints(job(image, role)) == "blazingtext"


@pytest.mark.parametrize(
    "unknown",
    [
        job(role="arn:aws:iam::811284229777:role/training"),
        job(IMAGE.replace("blazingtext", "xgboost")),
        job(IMAGE.replace("blazingtext", "mine/blazingtext")),
        job("blazingtext:1"),
        job(5),
        {"AlgorithmSpecification": {"AlgorithmName": "blazingtext"}, "RoleArn": ROLE},
        {"AlgorithmSpecification": [IMAGE]},
        {},
    ],
    ids=["own account", "with checkpoints", "folder", "no registry", "no text", "by name", "no mapping", "nothing"],
)
def test_any_other_image_may_write_checkpoints(unknown: dict[str, Any]) -> None:
    assert find_built_in_without_checkpoints(unknown) is None
