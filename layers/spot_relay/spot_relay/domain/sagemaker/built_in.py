"""SageMaker's built-in algorithms, recognised by their images; a request may be one that nobody has validated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from spot_relay.domain.expressions import compile_later

if TYPE_CHECKING:
    from collections.abc import Mapping

# SageMaker lets a spot job of a built-in algorithm without checkpoints wait and run for an hour.
MAX_WAIT_WITHOUT_CHECKPOINTS_SECONDS = 3_600
# In every partition: registries have one name in IPv4 and one for both IP versions, each also with FIPS endpoints.
_ECR_IMAGE = compile_later(
    r"(\d{12})\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\."
    r"(?:amazonaws\.(?:com|com\.cn|eu)|on\.aws|on\.amazonwebservices\.(?:com\.cn|eu)"
    r"|c2s\.ic\.gov|sc2s\.sgov\.gov|csp\.hci\.ic\.gov|cloud\.adc-e\.uk)"
    r"/([a-z0-9-]+)(?:[:@].*)?",
    re.ASCII,
)
_ROLE_ACCOUNT = compile_later(r"arn:aws[a-z-]*:iam::(\d{12}):", re.ASCII)
# Built-in algorithms that write no checkpoints, except those whose names users may well give to images of their own.
BUILT_IN_WITHOUT_CHECKPOINTS = frozenset(
    {
        "blazingtext",
        "factorization-machines",
        "forecasting-deepar",
        "ipinsights",
        "linear-learner",
        "object2vec",
        "randomcutforest",
    }
)


def find_built_in_without_checkpoints(job: Mapping[str, Any]) -> str | None:
    """Return the name of the job's built-in algorithm if it is known to write no checkpoints, else None."""
    algorithm, role = job.get("AlgorithmSpecification"), job.get("RoleArn")
    image = algorithm.get("TrainingImage") if isinstance(algorithm, dict) else None
    built_in = _ECR_IMAGE.fullmatch(image) if isinstance(image, str) else None
    account = _ROLE_ACCOUNT.match(role) if isinstance(role, str) else None
    # An image in the role's own account belongs to the user, even if it is named like a built-in algorithm.
    is_own = built_in is not None and account is not None and built_in[1] == account[1]
    return built_in[2] if built_in and not is_own and built_in[2] in BUILT_IN_WITHOUT_CHECKPOINTS else None
