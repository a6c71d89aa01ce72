"""The whole OpenAPI document: the routes, and what each answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from openapi import answers, requests

if TYPE_CHECKING:
    from openapi.requests import Schema

_RETRY = "Try again: a request that was half done is finished by its repetition."
# What every route may answer; all but InternalError from API Gateway, in the form of the function's own errors. The 503
# is the function's own for a run that a newer release has stored.
_EVERYWHERE = {
    "403": "Forbidden",
    "429": "Throttled",
    "500": "InternalError",
    "502": "BadGateway",
    "503": "Unavailable",
    "504": "GatewayTimeout",
}
_INVALID = "The document can't be accepted; details list every problem with its path."


def document() -> dict[str, Any]:
    """Give the OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Spot Relay",
            "version": "0.1.0",
            "description": (
                "Submits, lists, shows, stops and resumes runs: SageMaker training jobs that are kept going on Managed "
                "Spot Training until they are done."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [_server()],
        "security": [{"sigv4": []}],
        "paths": _paths(),
        "components": {
            "parameters": requests.parameters(),
            "schemas": requests.schemas() | answers.schemas(),
            "responses": _responses(),
            "examples": {name: {"value": value} for name, value in answers.examples().items()},
            "securitySchemes": {"sigv4": _signature()},
        },
    }


def text() -> str:
    """Give the document as docs/openapi.yaml holds it."""
    head = "# Made by `make openapi` from the models that the API reads by. Do not edit.\n"
    # Through JSON, so that nothing is written as an anchor and an alias.
    plain = json.loads(json.dumps(document()))
    return head + yaml.safe_dump(plain, sort_keys=False, width=110, allow_unicode=True)


def _server() -> dict[str, Any]:
    return {
        "url": "https://{api}.execute-api.{region}.amazonaws.com/v1",
        "description": "The output ApiUrl of the stack.",
        "variables": {"api": {"default": "example"}, "region": {"default": "us-east-1"}},
    }


def _signature() -> dict[str, Any]:
    return {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "description": "AWS Signature Version 4, service execute-api.",
        "x-amazon-apigateway-authtype": "awsSigv4",
    }


def _paths() -> dict[str, Any]:
    run_id = [_component("parameters", "RunId")]
    return {
        "/runs": {"get": _list(), "post": _submit()},
        "/runs/{id}": {"parameters": run_id, "get": _show()},
        "/runs/{id}/stop": {"parameters": run_id, "post": _stop()},
        "/runs/{id}/resume": {"parameters": run_id, "post": _resume()},
    }


def _list() -> dict[str, Any]:
    refused = {"400": _refusal("A query parameter is unknown, or can't be used.", "InvalidQuery")}
    return {
        "operationId": "listRuns",
        "summary": "List runs, newest first, a page at a time.",
        "parameters": [_component("parameters", name) for name in ("Status", "Limit", "Token")],
        "responses": {"200": _answer("A page of runs.", "Page"), **_refusals(refused)},
    }


def _submit() -> dict[str, Any]:
    refused = {
        "400": _component("responses", "InvalidSpec"),
        "409": _refusal(
            "The name belongs to a run with another spec, or the checkpoint prefix to another open run.",
            "NameConflict",
            "CheckpointPrefixTaken",
        ),
        "413": _component("responses", "TooLarge"),
    }
    return {
        "operationId": "submitRun",
        "summary": "Submit a spec; the same one again is the same run.",
        "requestBody": {"required": True, "content": _json("Spec", requests.examples()["Spec"])},
        "responses": {
            "202": {**_answer("The run as it is now.", "Run"), "links": _links()},
            **_refusals(refused),
        },
    }


def _show() -> dict[str, Any]:
    return {
        "operationId": "showRun",
        "summary": "Show a run.",
        "responses": {
            "200": _component("responses", "Run"),
            **_refusals({"404": _component("responses", "NoSuchRun")}),
        },
    }


def _stop() -> dict[str, Any]:
    refused = {
        "404": _component("responses", "NoSuchRun"),
        "409": _refusal("The run has completed or failed.", "Rejected"),
    }
    return {
        "operationId": "stopRun",
        "summary": "Stop a run for good; it has stopped once its training job has.",
        "responses": {"202": _component("responses", "Run"), **_refusals(refused)},
    }


def _resume() -> dict[str, Any]:
    refused = {
        "400": _component("responses", "InvalidSpec"),
        "404": _component("responses", "NoSuchRun"),
        "409": _refusal(
            "The run has not ended, has completed, or can't have what is asked; or another open run has its prefix.",
            "Rejected",
            "CheckpointPrefixTaken",
        ),
        "413": _component("responses", "TooLarge"),
    }
    return {
        "operationId": "resumeRun",
        "summary": "Go on with a run that has failed or was stopped, from its newest checkpoint, its counts at zero.",
        "requestBody": {"required": False, "content": _json("Resumption", requests.examples()["Resumption"])},
        "responses": {"202": _component("responses", "Run"), **_refusals(refused)},
    }


def _responses() -> dict[str, Any]:
    invalid = _refusal(_INVALID, "InvalidSpec")
    invalid["content"]["application/json"]["examples"] = {"problem": _component("examples", "Error")}
    return {
        "Run": _answer("The run as it is now.", "Run"),
        "InvalidSpec": invalid,
        "NoSuchRun": _refusal("There is no such run, or its retention is over.", "NoSuchRun", "NoSuchRoute"),
        "TooLarge": _refusal("API Gateway takes no body of more than 10 MB."),
        "Forbidden": _refusal("API Gateway refuses: no signature, a wrong one, or no right to execute-api:Invoke."),
        "Throttled": _refusal("More than 10 requests a second."),
        "InternalError": _refusal(f"A fault of Spot Relay's, or of a service behind it. {_RETRY}"),
        "BadGateway": _refusal(f"The function died. {_RETRY}"),
        "Unavailable": _refusal(
            f"A newer Spot Relay has stored the run (code NewerSchema), or API Gateway can't answer for now. {_RETRY}"
        ),
        "GatewayTimeout": _refusal(f"The function took longer than 29 seconds. {_RETRY}"),
    }


def _refusals(own: dict[str, Any]) -> dict[str, Any]:
    everywhere = {status: _component("responses", name) for status, name in _EVERYWHERE.items()}
    return dict(sorted((own | everywhere).items()))


def _refusal(description: str, *codes: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": answers.error(*codes)}}}


def _answer(description: str, schema: str) -> dict[str, Any]:
    content = {
        "schema": _component("schemas", schema),
        "examples": {"churn": _component("examples", schema)},
    }
    return {"description": description, "content": {"application/json": content}}


def _json(schema: str, examples: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": _component("schemas", schema), "examples": examples}}


def _links() -> dict[str, Any]:
    operations = ("showRun", "stopRun", "resumeRun")
    return {name: {"operationId": name, "parameters": {"id": "$response.body#/run_id"}} for name in operations}


def _component(kind: str, name: str) -> Schema:
    return {"$ref": f"#/components/{kind}/{name}"}
