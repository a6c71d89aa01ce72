"""What the layers are built for, and that what trimming leaves of botocore is what the functions call, unchanged."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import pytest
from botocore.config import Config
from botocore.session import Session

from tests.scripts import load_script
from tests.security.calls import CALLS
from tests.template import TEMPLATE

if TYPE_CHECKING:
    from botocore.model import Shape

pytestmark = pytest.mark.slow
LAYERS = Path(__file__).resolve().parents[2] / "layers"
REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1")
# botocore's own, for a bucket in another region and for one of S3 Express.
OF_BOTOCORE = {"s3.HeadBucket", "s3.CreateSession"}


TRIM = load_script(LAYERS / "dependencies" / "trim.py")
OPERATIONS = [(service, operation) for service, calls in TRIM.CALLS.items() for operation in calls]


@pytest.fixture(scope="module")
def trimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What trimming leaves of the installed botocore's data."""
    packages = tmp_path_factory.mktemp("packages")
    data = packages / "botocore" / "data"
    shutil.copytree(Path(botocore.__file__).parent / "data", data)
    TRIM.trim(packages)
    return data


def client(service: str, region: str, data: Path | None = None) -> Any:
    """Create a client, from other data if there is any."""
    session = Session()
    session.set_credentials("test", "test")
    if data is not None:
        session.get_component("data_loader")._search_paths[:] = [str(data)]
    return session.create_client(service, region_name=region, config=Config(s3={"addressing_style": "path"}))


def tree(shape: Shape | None, inside: tuple[str, ...] = ()) -> Any:
    """Return all that a shape says, with all that it reaches; a shape inside itself is named only."""
    if shape is None or shape.name in inside:
        return None if shape is None else shape.name
    inside = (*inside, shape.name)
    members = {name: tree(member, inside) for name, member in getattr(shape, "members", {}).items()}
    parts = [tree(getattr(shape, part), inside) for part in ("member", "key", "value") if hasattr(shape, part)]
    return shape.name, shape.type_name, shape.serialization, shape.metadata, members, parts


def test_there_is_a_makefile_for_each_runtime_and_processor_that_the_template_or_the_embedded_stack_allows() -> None:
    parameters = TEMPLATE["Parameters"]
    runtimes = ["python3.11", *parameters["PythonRuntime"]["AllowedValues"]]
    allowed = product(runtimes, parameters["Architecture"]["AllowedValues"])
    assert sorted(path.name for path in (LAYERS / "targets").iterdir()) == sorted("-".join(pair) for pair in allowed)
    makefiles = {path.read_text() for path in (LAYERS / "targets").glob("*/Makefile")}
    assert makefiles == {"include $(dir $(lastword $(MAKEFILE_LIST)))../../layers.mk\n"}


def test_every_call_of_the_functions_is_kept() -> None:
    kept = {f"{service}.{operation}" for service, operation in OPERATIONS}
    assert (
        kept
        == {call.replace("eventbridge.", "events.").replace("sfn.", "stepfunctions.") for call in CALLS} | OF_BOTOCORE
    )


@pytest.mark.parametrize("service", TRIM.CALLS)
def test_what_is_kept_of_a_service_is_unchanged(service: str, trimmed: Path) -> None:
    whole, part = client(service, "us-east-1"), client(service, "us-east-1", trimmed)
    assert sorted(part.meta.service_model.operation_names) == sorted(TRIM.CALLS[service])
    assert part.meta.service_model.metadata == whole.meta.service_model.metadata
    for name in TRIM.CALLS[service]:
        ours, theirs = (one.meta.service_model.operation_model(name) for one in (part, whole))
        assert tree(ours.input_shape) == tree(theirs.input_shape)
        assert tree(ours.output_shape) == tree(theirs.output_shape)
        assert [tree(shape) for shape in ours.error_shapes] == [tree(shape) for shape in theirs.error_shapes]
        assert ours.http == theirs.http
        method = next(method for method, operation in part.meta.method_to_api_mapping.items() if operation == name)
        assert part.can_paginate(method) == whole.can_paginate(method)
        if part.can_paginate(method):
            assert part.get_paginator(method)._pagination_cfg == whole.get_paginator(method)._pagination_cfg


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("service", sorted(set(TRIM.CALLS) - {"pricing"}))
def test_a_service_is_found_where_it_was(service: str, region: str, trimmed: Path) -> None:
    assert client(service, region, trimmed).meta.endpoint_url == client(service, region).meta.endpoint_url


def test_the_errors_that_the_adapters_catch_by_name_are_there(trimmed: Path) -> None:
    dynamodb, s3 = client("dynamodb", "us-east-1", trimmed), client("s3", "us-east-1", trimmed)
    for name in ("ConditionalCheckFailedException", "TransactionConflictException", "TransactionCanceledException"):
        assert issubclass(getattr(dynamodb.exceptions, name), dynamodb.exceptions.ClientError)
    assert issubclass(s3.exceptions.NoSuchBucket, s3.exceptions.ClientError)
