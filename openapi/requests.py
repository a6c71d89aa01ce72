"""Schemas of what the API takes: specs and resumptions, as the models of the spec have them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from spot_relay.domain.run.run import RunStatus
from spot_relay.spec.policy_model import PolicyModel
from spot_relay.spec.request_model import load_request_shape
from spot_relay.spec.resumption_model import ResumptionModel
from spot_relay.spec.run_name import MAX_NAME

if TYPE_CHECKING:
    from pydantic import BaseModel

Schema = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html"
RUN_NAME: Schema = {
    "type": "string",
    "pattern": "^[a-zA-Z0-9](-*[a-zA-Z0-9])*$",
    "maxLength": MAX_NAME,
    "description": "The run's name, which is its id, too. It may not end in -relay-NN, as the names of attempts do.",
}
_TYPES = {"structure": "object", "map": "object", "list": "array", "long": "integer"}
# A row of the table of a policy's keys: | `key` | default | bounds | meaning |
_ROW = re.compile(r"^\| `([a-z_.\[\]]+)` \|[^|]*\|[^|]*\| ([^|]*) \|$", re.MULTILINE)
# What needs what. A resumption changes a deadline that is there, so that there each may stand alone.
_NEEDS = {
    "deadline": ["expected_runtime"],
    "expected_runtime": ["deadline"],
    "changeover": ["deadline"],
    "return_to_spot": ["deadline"],
}


def schemas() -> dict[str, Schema]:
    """Give the schemas of requests by their names."""
    return {
        "Spec": {
            "description": "A training job, and what Spot Relay may do to keep it going, in one of two shapes.",
            "anyOf": [_reference("SpecWithPolicy"), _reference("BareSpec")],
        },
        "SpecWithPolicy": _object(
            "The request with a policy.",
            {"name": RUN_NAME, "training_job": _reference("TrainingJob"), "policy": _reference("Policy")},
            ["name", "training_job"],
        ),
        "BareSpec": {
            "description": "The request alone: its TrainingJobName is the run's name, and its policy is the default.",
            "allOf": [_reference("TrainingJob"), {"required": ["TrainingJobName"]}],
        },
        "TrainingJob": _training_job(),
        "Policy": {**_model(PolicyModel), "dependentRequired": _NEEDS},
        "Resumption": _without_defaults(_model(ResumptionModel))
        | {"description": "What a resumption changes of budgets and deadline; what is left out stays as it is."},
    }


def parameters() -> dict[str, Schema]:
    """Give the parameters of requests by their names."""
    statuses = {"type": "string", "enum": [str(status) for status in RunStatus]}
    limit = {"type": "integer", "minimum": 1, "maximum": 100, "default": 25}
    token = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z#[a-zA-Z0-9-]{1,63}$"}
    return {
        "RunId": {"name": "id", "in": "path", "required": True, "description": "The run's name.", "schema": RUN_NAME},
        "Status": _query("status", "Only runs of this status.", statuses),
        "Limit": _query("limit", "How many runs at most.", limit),
        "Token": _query("token", "The next_token of the page before.", token),
    }


def examples() -> dict[str, dict[str, Any]]:
    """Give examples of requests by the schema that they fit, from the documents that are tested as specs."""
    event = json.loads((ROOT / "events/api/create-run.json").read_text("utf-8"))
    return {
        "Spec": {
            "withPolicy": {"summary": "With a policy", "value": json.loads(event["body"])},
            "bare": {
                "summary": "A CreateTrainingJob request as it is",
                "value": json.loads((ROOT / "examples/xgboost.json").read_text("utf-8")),
            },
            "deadline": {
                "summary": "With a deadline",
                "value": yaml.safe_load((ROOT / "examples/deadline.yaml").read_text("utf-8")),
            },
        },
        "Resumption": {
            "more": {
                "summary": "With more waits, and a deadline that counts from now",
                "value": {"budgets": {"expired_waits": 20}, "deadline": "P1D", "expected_runtime": "PT6H"},
            }
        },
    }


def _training_job() -> Schema:
    shape = load_request_shape()
    properties = {
        name: {"type": _TYPES.get(member.type_name, member.type_name)}
        for name, member in shape.members.items()
        if name != "ServerlessJobConfig"
    }
    required = [name for name in shape.metadata["required"] if name != "TrainingJobName"]
    description = (
        "A CreateTrainingJob request as boto3's create_training_job takes it: 80 000 bytes as JSON at most. Beside a "
        "policy TrainingJobName is left out, or equals name."
    )
    schema = _object(description, properties | {"TrainingJobName": RUN_NAME}, required)
    return schema | {"externalDocs": {"description": "What each key may hold", "url": REFERENCE}}


def _model(model: type[BaseModel]) -> Schema:
    """Give the schema of a model, without what pydantic adds for Python alone, and with what docs/spec.md tells."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs")
    told = dict(_ROW.findall((ROOT / "docs/spec.md").read_text("utf-8")))
    plain: Schema = _plain(schema, definitions, told, "")
    return plain


def _without_defaults(schema: Schema) -> Schema:
    properties = {name: _without_defaults(one) for name, one in schema.get("properties", {}).items()}
    kept = {key: value for key, value in schema.items() if key != "default"}
    return kept | {"properties": properties} if properties else kept


def _plain(schema: Schema, definitions: dict[str, Schema], told: dict[str, str], path: str) -> Schema:
    schema = {key: value for key, value in schema.items() if key != "title" and (key, value) != ("default", None)}
    if "$ref" in schema:
        # The defaults of a mapping stand at its keys.
        return _plain(definitions[schema["$ref"].rpartition("/")[2]], definitions, told, path)
    if "anyOf" in schema:
        # A key may be left out, but not be null, which pydantic does not see.
        kept = [_plain(one, definitions, told, path) for one in schema.pop("anyOf") if one != {"type": "null"}]
        schema |= kept[0] if len(kept) == 1 else {"anyOf": kept}
    if "items" in schema:
        schema["items"] = _plain(schema["items"], definitions, told, f"{path}[]")
    if "properties" in schema:
        inner = {f"{path}.{name}" if path else name: one for name, one in schema["properties"].items()}
        schema["properties"] = {
            where.rpartition(".")[2]: _described(_plain(one, definitions, told, where), told.get(where))
            for where, one in inner.items()
        }
    return _described(schema, None)


def _described(schema: Schema, description: str | None) -> Schema:
    """Give a schema with its type and what it means before all else."""
    first = {"type": schema["type"]} if "type" in schema else {}
    return first | ({"description": description} if description else {}) | schema


def _object(description: str, properties: dict[str, Schema], required: list[str]) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _query(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
