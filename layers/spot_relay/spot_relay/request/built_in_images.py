"""Find the images of SageMaker's built-in algorithms by name, version and region.

``built_in_images.json`` comes from the SageMaker Python SDK: ``make images`` writes it.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from spot_relay.request.problem import describe
from spot_relay.request.suggestion import find_nearest


class UnknownImageError(Exception):
    """There is no such algorithm or version, or it is not in the region; the message lists what there is."""


def find_image(algorithm: str, region: str | None) -> str:
    """Return the image of ``name@version`` in a region; the version may be left out if there is only one.

    Raises
    ------
    UnknownImageError
        If there is none.
    """
    images = load_images()
    name, at, version = algorithm.partition("@")
    versions: dict[str, list[Any]] = images["algorithms"].get(name, {})
    if not versions:
        nearest = find_nearest(name, images["algorithms"])
        hint = f' Did you mean "{nearest}"?' if nearest else ""
        known = ", ".join(images["algorithms"])
        message = f"Found {describe(name)}, which is not a built-in algorithm.{hint} Known are {known}."
        raise UnknownImageError(message)
    if not at and len(versions) == 1:
        (version,) = versions
    if version not in versions:
        found = f"Found the version {describe(version)}" if at else "The version is missing"
        message = f"{found}. Write {name}@version; the versions are {', '.join(versions)}."
        raise UnknownImageError(message)
    repository, tag, index = versions[version]
    registries: dict[str, str] = images["registries"][index]
    if region not in registries:
        message = (
            f"{name}@{version} is not known in the stack's region ({region}). It is in {', '.join(registries)}. "
            "Write the image itself."
        )
        raise UnknownImageError(message)
    return f"{registries[region]}.dkr.ecr.{region}.{images['suffixes'][region]}/{repository}:{tag}"


@lru_cache(maxsize=1)
def load_images() -> dict[str, Any]:
    """Return what is known of the images. It is read only if a spec names an algorithm."""
    images: dict[str, Any] = json.loads(Path(__file__).with_name("built_in_images.json").read_text("utf-8"))
    return images
