"""The regions in which the stack can run: those that have Lambda and SageMaker, in every partition.

    python -m tests.regions [slack]

prints them for cfn-lint; with ``slack``, only those in which notices can go to a webhook of Slack. The list is
botocore's, so that it grows with each update of the pinned version.
"""

from __future__ import annotations

import sys

from botocore.session import Session

# As cfn-lint knows it: there is no resource type for an API destination, nor for its connection.
WITHOUT_API_DESTINATIONS = frozenset(
    {
        "ap-east-2",
        "ap-southeast-5",
        "ap-southeast-6",
        "ca-west-1",
        "il-central-1",
        "mx-central-1",
        "us-gov-east-1",
        "us-gov-west-1",
    }
)


def list_regions() -> list[str]:
    """Return the names of the regions, in alphabetical order."""
    return sorted(_regions_of("lambda") & _regions_of("sagemaker"))


def _regions_of(service: str) -> set[str]:
    session = Session()
    partitions = session.get_available_partitions()
    return {region for partition in partitions for region in session.get_available_regions(service, partition)}


if __name__ == "__main__":
    left_out = WITHOUT_API_DESTINATIONS if sys.argv[1:] == ["slack"] else frozenset()
    print(*(region for region in list_regions() if region not in left_out))  # noqa: T201
