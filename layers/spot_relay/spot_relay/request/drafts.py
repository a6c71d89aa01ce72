"""Read a spec for the rules of lint, also one whose training job is written as options of the SageMaker Python SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.lint import draft as drafts
from spot_relay.domain.lint.draft import Draft, as_text
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_draft(document: Mapping[str, Any], region: str | None = None, role_arns: tuple[str, ...] = ()) -> Draft:
    """Return the parts of a spec that rules read. Options that cannot be used count as absent.

    ``region`` and ``role_arns`` are those of the stack, as far as they are known: built-in algorithms have an image in
    each region, and a role may be given by its name.
    """
    # Imported here to keep cold starts short: few specs have options.
    from spot_relay.request.estimator import ESTIMATOR, translate
    from spot_relay.request.problem import InvalidSpecError, Problems
    from spot_relay.request.sdk_options import ALGORITHM

    options = document.get(ESTIMATOR)
    if not isinstance(options, dict):
        return drafts.read_draft(document)
    problems = Problems()
    try:
        translation = translate(document, region, role_arns, problems)
    except InvalidSpecError:
        return drafts.read_draft(document)
    problems.trace(translation.origins)
    name_path, name = translation.name or ("name", None)
    if "name" in document:
        name_path, name = "name", document["name"]
    algorithm = as_text(options.get(ALGORITHM))
    return replace(
        drafts.read_draft({**document, "training_job": translation.job}),
        name=as_text(name),
        name_path=name_path,
        algorithm=algorithm and algorithm.partition("@")[0],
        locate=problems.find_origin,
    )
