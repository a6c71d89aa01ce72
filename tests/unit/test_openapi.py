"""docs/openapi.yaml says what the API does: its routes, what it takes, and how it refuses."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import given
from pydantic import ValidationError

from openapi.document import build_document, render_document
from spot_relay.spec import (
    Allowlist,
    Format,
    InvalidSpecError,
    read_deadline_change,
    read_move,
    read_resumption,
    read_submission,
)
from spot_relay.spec.policy_model import PolicyModel
from spot_relay.spec.resumption_model import ResumptionModel
from tests.hostile.functions import ROOT, Context, load
from tests.integration.stack import document as event
from tests.template import TEMPLATE
from tests.unit.caller_errors import EXAMPLES
from tests.unit.openapi_document import DOCUMENT, SCHEMAS, codes, operations, validator
from tests.unit.spec.any_document import POLICIES
from tests.unit.spec.documents import CALM, find_problems, request, wrapped
from tests.unit.worlds import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from pydantic import BaseModel

GATEWAY = {"403", "413", "429", "502", "503", "504"}
RUNG = {"instance_type": "ml.p3.2xlarge"}


@pytest.fixture(scope="module")
def api() -> ModuleType:
    """The function, in a world where nothing has happened."""
    return load("api", World())


def test_the_document_is_what_make_openapi_writes() -> None:
    assert (ROOT / "docs" / "openapi.yaml").read_text("utf-8") == render_document(), "run `make openapi`"
    assert json.loads(json.dumps(build_document())) == DOCUMENT


def test_it_is_an_openapi_document_whose_schemas_are_json_schemas() -> None:
    schemathesis.openapi.from_dict(build_document()).validate()
    for name in SCHEMAS:
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **SCHEMAS[name]})
        validator(name)


def test_its_routes_are_the_functions(api: ModuleType) -> None:
    routes = [*api.app._static_routes, *api.app._dynamic_routes]
    assert set(operations()) == {(route.method, re.sub(r"<\w+>", "{id}", route.path)) for route in routes}


def test_its_operations_are_the_templates() -> None:
    events = TEMPLATE["Resources"]["ApiFunction"]["Properties"]["Events"]
    routed = {(one["Properties"]["Method"], one["Properties"]["Path"]): name for name, one in events.items()}
    named = {route: one["operationId"] for route, one in operations().items()}
    assert named == {route: name[0].lower() + name[1:] for route, name in routed.items()}
    assert DOCUMENT["servers"][0]["url"].endswith("/" + TEMPLATE["Resources"]["Api"]["Properties"]["StageName"])


def test_every_operation_wants_a_signature() -> None:
    assert TEMPLATE["Resources"]["Api"]["Properties"]["Auth"]["DefaultAuthorizer"] == "AWS_IAM"
    (scheme,) = DOCUMENT["components"]["securitySchemes"].values()
    assert scheme["x-amazon-apigateway-authtype"] == "awsSigv4"
    assert DOCUMENT["security"] == [{"sigv4": []}]
    assert not any("security" in operation for operation in operations().values())


def test_each_operation_lists_the_errors_of_its_route_with_their_statuses(api: ModuleType) -> None:
    for route in api.ROUTES:
        responses = operations()[route.method, route.path]["responses"]
        own = {(str(error.status), error.code) for error in route.errors}
        listed = {(status, code) for status, response in responses.items() for code in codes(response)}
        assert listed == {(status, code) for status, code in own if status not in GATEWAY}
        assert responses.keys() >= {status for status, _ in own} | {str(route.status)}


def test_every_error_that_is_answered_belongs_to_a_route_and_is_explained_to_operators(api: ModuleType) -> None:
    answered = {error for route in api.ROUTES for error in route.errors}
    assert answered == {type(error) for error in EXAMPLES} | {api.NoSuchRouteError}
    explained = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert all(f"| {error.status} | `{error.code}`" in explained for error in answered)


def test_the_answer_to_an_unknown_path_lists_the_routes(api: ModuleType) -> None:
    answer = api.handler(event("api/get-run") | {"path": "/jobs"}, Context())
    error = json.loads(answer["body"])
    assert (answer["statusCode"], error["code"], error["details"]) == (404, "NoSuchRoute", [])
    listed = error["message"].removeprefix("The API has: ").split(", ")
    assert {tuple(route.split(" ")) for route in listed} == set(operations())


def test_every_operation_may_be_refused_by_the_gateway() -> None:
    for (method, path), operation in operations().items():
        expected = GATEWAY if "requestBody" in operation else GATEWAY - {"413"}
        assert set(operation["responses"]) >= expected | {"500"}, (method, path)


def boundaries(of: str) -> list[Any]:
    """Return, for each key of a schema, what is just in and just out of its bounds, its choices and other types."""
    found: list[Any] = []

    def look(schema: dict[str, Any], path: tuple[str, ...]) -> None:
        for name, inner in schema.get("properties", {}).items():
            look(inner, (*path, name))
        if "items" in schema:
            look(schema["items"], (*path, "[]"))
        values: list[Any] = ["x", None, True, 5, -1, 0.5, [], {}, {"x": 1}, [{}], [RUNG] * 10, [RUNG] * 11]
        for one in schema.get("anyOf", [schema]):
            bounds = [one[name] for name in ("minimum", "maximum", "exclusiveMinimum") if name in one]
            values += [bound + step for bound in bounds for step in (-1, 0, 1)] + one.get("enum", [])
        values += ["P1D", "PT1H", "P0DT1H1M1S", "P", "PT", "P1Y", "P1D\n", "p1d", "2026-12-01T06:00:00Z", "2026-12-01"]
        found.append(pytest.param(path, values, id=".".join(path)))

    look(SCHEMAS[of], ())
    return found


# What another key has to be, so that a bound can be reached.
BESIDE = {"base_seconds": {"max_seconds": 86_400}, "max_seconds": {"base_seconds": 1}}


def at(path: tuple[str, ...], value: Any) -> Any:
    """Return a document that has a value at a path, and what it needs beside it."""
    for key in reversed(path):
        if key == "[]":
            value = [RUNG | value if isinstance(value, dict) else value]
        else:
            value = {key: value, **BESIDE.get(key, {})}
    return value


def takes(model: type[BaseModel], value: Any) -> bool:
    """Whether a model takes a document."""
    try:
        model.model_validate(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("path", "values"), boundaries("Policy"))
def test_a_policy_is_in_the_schema_just_where_the_model_takes_it(path: tuple[str, ...], values: list[Any]) -> None:
    alone = {key: part for key, part in SCHEMAS["Policy"].items() if key != "dependentRequired"}
    schema = jsonschema_rs.Draft202012Validator(alone, validate_formats=True)
    for value in values:
        # The list of instance types is SageMaker's own.
        is_any_type = bool(path) and path[-1] == "instance_type" and isinstance(value, str)
        assert schema.is_valid(at(path, value)) == (is_any_type or takes(PolicyModel, at(path, value))), value


@pytest.mark.parametrize(("path", "values"), boundaries("Resumption"))
def test_a_resumption_is_in_the_schema_just_where_the_model_takes_it(path: tuple[str, ...], values: list[Any]) -> None:
    schema = validator("Resumption")
    for value in values:
        assert schema.is_valid(at(path, value)) == takes(ResumptionModel, at(path, value)), value


@pytest.mark.parametrize(
    "body",
    [
        *({"market": market} for market in ("spot", "on-demand", "reserved", None, 1)),
        *({}, {"market": "spot", "rung": 1}, {"deadline": "P1D"}),
    ],
    ids=str,
)
def test_a_move_is_in_the_schema_just_where_it_is_taken(body: dict[str, Any]) -> None:
    assert validator("Move").is_valid(body) == reads(read_move, body)


@pytest.mark.parametrize(("path", "values"), boundaries("Resumption"))
def test_a_changed_deadline_is_in_the_schema_just_where_it_is_taken(path: tuple[str, ...], values: list[Any]) -> None:
    for body in ({}, {"deadline": None}, {"deadline": None, "changeover": 1}, *(at(path, value) for value in values)):
        assert validator("DeadlineChange").is_valid(body) == reads(read_deadline_change, body), body


def reads(read: Callable[[bytes], object], body: Any) -> bool:
    """Whether a body is taken."""
    try:
        read(json.dumps(body).encode())
    except InvalidSpecError:
        return False
    return True


def test_a_key_that_needs_another_is_refused_without_it() -> None:
    values = {"deadline": "P1D", "expected_runtime": "PT1H", "changeover": 0, "return_to_spot": "never"}
    assert SCHEMAS["Policy"]["dependentRequired"].keys() == values.keys()
    for key, needed in SCHEMAS["Policy"]["dependentRequired"].items():
        alone = {key: values[key]}
        assert not validator("Policy").is_valid(alone)
        assert find_problems(wrapped(alone)) != {}
        whole = {"deadline": "P1D", "expected_runtime": "PT1H"} | alone
        assert set(needed) <= set(whole)
        assert validator("Policy").is_valid(whole)
        assert find_problems(wrapped(whole, StoppingCondition=LONG)) == {}


LONG = {"MaxRuntimeInSeconds": 86_400, "MaxWaitTimeInSeconds": 86_400}


@CALM
@given(POLICIES)
def test_no_policy_that_is_taken_is_outside_the_schema(policy: dict[str, Any]) -> None:
    if find_problems(wrapped(policy)) == {}:
        assert validator("Spec").is_valid(wrapped(policy))
    try:
        read_resumption(json.dumps(policy).encode())
    except InvalidSpecError:
        return
    assert validator("Resumption").is_valid(policy)


@pytest.mark.parametrize(
    "spec",
    [
        request(TrainingJobName=None),
        request(RoleArn=None),
        request(OutputDataConfig=None),
        request(Enviroment={}),
        request(TrainingJobName="a b"),
        request(TrainingJobName="x" * 64),
        request(TrainingJobName=5),
        request(HyperParameters=[]),
        request(ServerlessJobConfig={}),
        wrapped(name=None),
        wrapped(name="-a"),
        wrapped({"deadline": "P1D"}),
        {"name": "a"},
        wrapped() | {"polic": {}},
        {},
        [],
        None,
    ],
    ids=range(17),
)
def test_what_is_outside_the_schema_of_a_spec_is_refused(spec: Any) -> None:
    assert not validator("Spec").is_valid(spec)
    with pytest.raises(InvalidSpecError):
        read_submission(json.dumps(spec).encode(), Format.JSON, Allowlist(("*",), ("*",), ("*",)))


def test_specs_that_are_taken_are_in_the_schema() -> None:
    for spec in (request(), wrapped(), wrapped({}), wrapped(TrainingJobName="churn-2024")):
        assert find_problems(spec) == {}
        assert validator("Spec").is_valid(spec)


def test_its_examples_of_specs_are_taken_and_in_the_schema() -> None:
    examples = operations()["POST", "/runs"]["requestBody"]["content"]["application/json"]["examples"]
    assert len(examples) >= 3
    for example in examples.values():
        spec = example["value"]
        job = spec.get("training_job", spec)
        images, buckets = ("*.dkr.ecr.*.amazonaws.com/*",), ("churn-*", "example-training-*")
        allowlist = Allowlist((job["RoleArn"],), images, buckets, region="us-east-1")
        assert read_submission(json.dumps(spec).encode(), Format.JSON, allowlist)
        assert validator("Spec").is_valid(spec)


def test_its_examples_of_resumptions_are_taken_and_in_the_schema() -> None:
    examples = operations()["POST", "/runs/{id}/resume"]["requestBody"]["content"]["application/json"]["examples"]
    for example in examples.values():
        assert read_resumption(json.dumps(example["value"]).encode())
        assert validator("Resumption").is_valid(example["value"])


@pytest.mark.parametrize(
    ("path", "schema", "read"),
    [("/runs/{id}/move", "Move", read_move), ("/runs/{id}/deadline", "DeadlineChange", read_deadline_change)],
)
def test_its_examples_of_changes_are_taken_and_in_the_schema(
    path: str, schema: str, read: Callable[[bytes], object]
) -> None:
    examples = operations()["POST", path]["requestBody"]["content"]["application/json"]["examples"]
    for example in examples.values():
        assert reads(read, example["value"])
        assert validator(schema).is_valid(example["value"])


@pytest.mark.parametrize("name", ["Run", "Page", "Error"])
def test_its_examples_of_answers_are_in_their_schemas(name: str) -> None:
    validator(name).validate(DOCUMENT["components"]["examples"][name]["value"])
