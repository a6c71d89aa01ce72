"""One deployed stack whose own functions rest, so that what happens is done by functions in containers."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from embedded import deployment
from embedded import docker as embedded_docker
from tests.sam_local.churn import DATA, PRICES, SPECS, Churn, Market
from tests.sam_local.containers import SamLocal, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded.stack import Stack


@pytest.fixture(scope="session")
def engine() -> None:
    """Docker with Lambda's base image; where they are missing tests are skipped, or fail if they were promised."""
    lacks = missing()
    if lacks and os.environ.get("SPOT_RELAY_REQUIRE_DOCKER"):
        pytest.fail(lacks, pytrace=False)
    if lacks:
        pytest.skip(lacks)


@pytest.fixture(scope="session")
def market() -> Iterator[Market]:
    """The SageMaker of all tests."""
    market = Market()
    yield market
    market.close()


@pytest.fixture(scope="session")
def stack(engine: None, market: Market) -> Iterator[Stack]:
    """The real template, with the bucket that the documents name; every open run is due after a second."""
    parameters = {
        "SageMakerEndpointUrl": market.url,
        "ExistingSpecsBucket": SPECS,
        "AllowedCheckpointBuckets": "churn-*",
        "CheckIntervalSeconds": "1",
        "PriceFile": PRICES,
    }
    with deployment.running(parameters=parameters) as deployed, embedded_docker.pause_triggers(deployed):
        s3 = deployed.client("s3")
        for bucket in (SPECS, DATA):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=SPECS, VersioningConfiguration={"Status": "Enabled"})
        yield deployed


@pytest.fixture(scope="session")
def sam_local(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamLocal]:
    """`sam local invoke` for this stack."""
    address = embedded_docker.bridge_address()
    variables = tmp_path_factory.mktemp("sam-local") / "variables.json"
    with embedded_docker.open_ports(stack, address):
        variables.write_text(json.dumps(embedded_docker.variables(stack, address)))
        yield SamLocal(stack, variables)


@pytest.fixture
def churn(stack: Stack, market: Market) -> Churn:
    """The run of the documents, not submitted yet."""
    churn = Churn(stack, market)
    churn.forget()
    return churn
