"""The regions in which the stack can run: those that have Lambda and SageMaker, in every partition.

    python -m tests.regions

prints them for cfn-lint. The list is botocore's, so that it grows with each update of the pinned version.
"""

from __future__ import annotations

from botocore.session import Session


def list_regions() -> list[str]:
    """Return the names of the regions, in alphabetical order."""
    return sorted(_regions_of("lambda") & _regions_of("sagemaker"))


def _regions_of(service: str) -> set[str]:
    session = Session()
    partitions = session.get_available_partitions()
    return {region for partition in partitions for region in session.get_available_regions(service, partition)}


if __name__ == "__main__":
    print(*list_regions())  # noqa: T201
