"""The OpenAPI document: the routes of functions/api, the schemas of their requests and answers, and examples.

Powertools can generate a document as well, but only from request models that the function imports, and without links,
examples or the answers of API Gateway itself. So Powertools does the routing, pydantic the schemas, and this the rest.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import yaml
from pydantic.json_schema import models_json_schema

from openapi import answers, examples, requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.api.app import Route
    from openapi.requests import Schema

_RETRY = "Try again: repeating a request finishes what was left half done."
# What any route may answer besides its own errors, by status. All but the 500 come from API Gateway, in the same form.
_SHARED = {
    403: "API Gateway refused: the signature is missing or wrong, or the permission execute-api:Invoke is missing.",
    429: "More than 10 requests a second.",
    500: f"A fault of Spot Relay or of a service that it uses. {_RETRY}",
    502: f"The function died. {_RETRY}",
    503: f"API Gateway can't answer at the moment. {_RETRY}",
    504: f"The function took longer than 29 seconds. {_RETRY}",
}
_TOO_LARGE = {413: "API Gateway takes bodies of at most 10 MB."}
_ENVIRONMENT = {
    "POWERTOOLS_SERVICE_NAME": "openapi",
    "TABLE_NAME": "runs",
    "SPECS_BUCKET": "specs",
    "CHECK_INTERVAL_SECONDS": "300",
    "LAUNCH_RATE": "1000",
    "RETENTION_DAYS": "90",
    "OBSERVE_QUEUE_URL": "http://127.0.0.1/queue",
    "ALLOWED_ROLE_ARNS": "*",
    "ALLOWED_IMAGES": "*",
    "ALLOWED_CHECKPOINT_BUCKETS": "*",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def build_document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    schemas = requests.build_schemas() | _build_answers()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Spot Relay",
            "version": "0.1.0",
            "description": (
                "Submits, lists, shows, stops, resumes and moves runs: SageMaker training jobs that Spot Relay keeps "
                "running on spot instances until they finish."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {
                "url": "https://{api}.execute-api.{region}.amazonaws.com/v1",
                "description": "The stack's output ApiUrl.",
                "variables": {"api": {"default": "example"}, "region": {"default": "us-east-1"}},
            }
        ],
        "security": [{"sigv4": []}],
        "paths": _build_paths(schemas),
        "components": {
            "schemas": schemas,
            "responses": {str(status): _refusal(text) for status, text in (_SHARED | _TOO_LARGE).items()},
            "examples": {name: {"value": value} for name, value in examples.build_answers().items()},
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "description": "AWS Signature Version 4, service execute-api.",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                }
            },
        },
    }


def render_document() -> str:
    """Return the document as docs/openapi.yaml contains it."""
    head = (
        "# Made by `make openapi` from the routes of functions/api and the models of openapi/ and spec. Do not edit.\n"
    )
    # Through JSON, so that equal objects are not written as an anchor and aliases.
    plain = json.loads(json.dumps(build_document()))
    return head + yaml.safe_dump(plain, sort_keys=False, width=110, allow_unicode=True)


def load_routes() -> Sequence[Route]:
    """Return the routes of the API. The function is imported as Lambda imports it; it calls nothing."""
    with patch.dict(os.environ, _ENVIRONMENT):
        from functions.api.app import ROUTES
    return ROUTES


def name_operation(route: Route) -> str:
    """Return the id of a route's operation, such as submitRun."""
    verb, noun = route.handler.__name__.split("_")
    return verb + noun.capitalize()


def _build_answers() -> dict[str, Schema]:
    models = (answers.Run, answers.SubmittedRun, answers.Page, answers.DryRun, answers.Error)
    _, found = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Schema] = _without_titles(found["$defs"])
    return schemas


def _without_titles(schema: Any) -> Any:
    """Return a schema without what pydantic takes from Python: titles, and the docstrings of enums."""
    if isinstance(schema, list):
        return [_without_titles(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = {"title", "description"} if "enum" in schema else {"title"}
    return {key: _without_titles(one) for key, one in schema.items() if key not in dropped or isinstance(one, dict)}


def _build_paths(schemas: dict[str, Schema]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in load_routes():
        item = paths.setdefault(route.path, _path_parameters(route.path))
        item[route.method.lower()] = {
            "operationId": name_operation(route),
            "summary": route.summary,
            **_request(route),
            "responses": {**_successes(route, schemas), **_refusals(route)},
        }
    return paths


def _path_parameters(path: str) -> dict[str, Any]:
    if "{id}" not in path:
        return {}
    name = {"name": "id", "in": "path", "required": True, "description": "The run's name.", "schema": requests.RUN_NAME}
    return {"parameters": [name]}


def _request(route: Route) -> dict[str, Any]:
    query = {"parameters": [requests.build_query()[name] for name in route.query]} if route.query else {}
    if route.body is None:
        return query
    content = {"schema": _reference("schemas", route.body), "examples": examples.read_requests()[route.body]}
    # Only a resumption may be left out: the run is then resumed without changes.
    return query | {"requestBody": {"required": route.body != "Resumption", "content": {"application/json": content}}}


def _successes(route: Route, schemas: dict[str, Schema]) -> dict[str, Any]:
    dry = {} if route.dry_answer is None else {"200": _answer(route.dry_answer, schemas)}
    return dry | {str(route.status): _success(route, schemas)}


def _answer(name: str, schemas: dict[str, Schema]) -> dict[str, Any]:
    content = {"schema": _reference("schemas", name), "examples": {"churn": _reference("examples", name)}}
    return {"description": schemas[name]["description"], "content": {"application/json": content}}


def _success(route: Route, schemas: dict[str, Schema]) -> dict[str, Any]:
    success = _answer(route.answer, schemas)
    return success if "{id}" in route.path or route.answer != "SubmittedRun" else success | {"links": _links()}


def _links() -> dict[str, Any]:
    operations = [name_operation(route) for route in load_routes() if "{id}" in route.path]
    return {name: {"operationId": name, "parameters": {"id": "$response.body#/run_id"}} for name in operations}


def _refusals(route: Route) -> dict[str, Any]:
    shared = _SHARED | _TOO_LARGE if route.body else _SHARED
    found = {status: _reference("responses", str(status)) for status in shared}
    for status in {error.status for error in route.errors}:
        errors = [error for error in route.errors if error.status == status]
        described = [(error.__doc__ or "").partition("\n")[0] for error in errors]
        if status in shared:
            found[status] = _refusal(" ".join([*described, shared[status]]))
        else:
            found[status] = _refusal(" ".join(described), list(dict.fromkeys(error.code for error in errors)))
    return {str(status): found[status] for status in sorted(found)}


def _refusal(description: str, codes: Sequence[str] = ()) -> dict[str, Any]:
    content = {"schema": _reference("schemas", "Error")}
    if codes:
        code = {"type": "object", "properties": {"code": {"type": "string", "enum": codes}}}
        content["schema"] = {"allOf": [_reference("schemas", "Error"), code]}
    if "InvalidSpec" in codes:
        content["examples"] = {"problem": _reference("examples", "Error")}
    return {"description": description, "content": {"application/json": content}}


def _reference(kind: str, name: str) -> Schema:
    return {"$ref": f"#/components/{kind}/{name}"}
