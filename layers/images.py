"""Write the images of SageMaker's built-in algorithms into the layer, from a wheel of the SageMaker Python SDK.

The SDK has a JSON file for each algorithm. This takes what training needs, for all algorithms whose image does not
depend on the instance type, which leaves out the frameworks. ``make images`` runs it with the pinned wheel.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path, PurePath
from typing import Any

from botocore.session import get_session

OUTPUT = Path(__file__).parent / "spot_relay" / "spot_relay" / "request" / "built_in_images.json"
_FOLDER = "sagemaker/image_uri_config/"
# For regions that botocore does not know yet.
_SUFFIX = "amazonaws.com"


def read_images(wheel: Path) -> dict[str, Any]:
    """Return the repositories, tags and registries of the built-in algorithms in a wheel."""
    distribution, version = wheel.name.split("-")[:2]
    registries: list[dict[str, str]] = []
    algorithms: dict[str, dict[str, Any]] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.startswith(_FOLDER) and name.endswith(".json"):
                config = json.loads(archive.read(name))
                trains = "training" in config or "training" in config.get("scope", ())
                if trains and (versions := _read_versions(config.get("training", config), registries)):
                    algorithms[PurePath(name).stem] = versions
    regions = sorted({region for one in registries for region in one})
    return {
        "source": f"{distribution} {version}",
        "suffixes": {region: _find_suffix(region) for region in regions},
        "registries": registries,
        "algorithms": algorithms,
    }


def _read_versions(config: dict[str, Any], registries: list[dict[str, str]]) -> dict[str, Any]:
    """Return an algorithm's image by version, or nothing if its images depend on more than the version."""
    images: dict[str, Any] = {}
    versions, aliases = config["versions"], config.get("version_aliases", {})
    for version, known in (versions | {alias: versions[of] for alias, of in aliases.items()}).items():
        processors, pythons = (known.get(key, config.get(key, [])) for key in ("processors", "py_versions"))
        is_plain = "registries" in known and "tag_prefix" not in known and "container_version" not in known
        if not is_plain or processors not in ([], ["cpu"]) or len(pythons) > 1:
            return {}
        if known["registries"] not in registries:
            registries.append(known["registries"])
        tag = "-".join([version, *processors, *pythons])
        images[version] = [known["repository"], tag, registries.index(known["registries"])]
    return images


def _find_suffix(region: str) -> str:
    session = get_session()
    for partition in session.get_available_partitions():
        if region in session.get_available_regions("ecr", partition, allow_non_regional=True):
            return str(session.get_component("endpoint_resolver").get_partition_dns_suffix(partition))
    return _SUFFIX


if __name__ == "__main__":
    OUTPUT.write_text(json.dumps(read_images(Path(sys.argv[1])), separators=(",", ":"), sort_keys=True) + "\n", "utf-8")
