"""JSON schemas of the request bodies, generated from the models of the spec."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from spot_relay.domain.run.news import ALL, NONE, NoticeKind
from spot_relay.domain.run.run import RunStatus
from spot_relay.request.request_model import load_request_shape
from spot_relay.request.sdk_options import GROUPS, OPTIONS
from spot_relay.spec.change_model import DeadlineChangeModel, MoveModel
from spot_relay.spec.on_end import MAX_TOKEN_CHARACTERS, TASK_TOKEN
from spot_relay.spec.policy_model import PolicyModel
from spot_relay.spec.resumption_model import ResumptionModel
from spot_relay.spec.run_name import MAX_NAME
from spot_relay.spec.start_model import StartModel
from spot_relay.spec.success_model import ON_SUCCESS, SuccessModel

if TYPE_CHECKING:
    from pydantic import BaseModel

Schema = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html"
NAME_PATTERN = "^[a-zA-Z0-9](-*[a-zA-Z0-9])*$"
RUN_NAME: Schema = {
    "type": "string",
    "pattern": NAME_PATTERN,
    "maxLength": MAX_NAME,
    "description": "The run's name, which is also its id. It can't end in -relay-NN, as the names of attempts do.",
}
_SHAPES = ("SpecWithPolicy", "SpecOfOptions", "BareSpec")
_TYPES = {"structure": "object", "map": "object", "list": "array", "long": "integer"}
# A row of the tables of keys in docs/spec.md: | `key` | meaning |, or | `key` | default | bounds | meaning |
_ROW = re.compile(r"^\| `([a-z_.\[\]]+)` \|(?:[^|]*\|[^|]*\|)? ([^|]*) \|$", re.MULTILINE)
# Keys that need another one. In a resumption each may stand alone: it changes a deadline that the run has already.
_NEEDS = {
    "deadline": ["expected_runtime"],
    "expected_runtime": ["deadline"],
    "changeover": ["deadline"],
    "return_to_spot": ["deadline"],
}


def build_schemas() -> dict[str, Schema]:
    """Return the schemas of request bodies by name."""
    others = _schema_of(StartModel, defaults=True)["properties"] | {
        "on_success": {"$ref": "#/components/schemas/OnSuccess"},
        "on_end": {"$ref": "#/components/schemas/OnEnd"},
        "notify": {"$ref": "#/components/schemas/Notify"},
    }
    return {
        "Spec": {
            "description": "A training job, and what Spot Relay may do to keep it going, in one of three forms.",
            "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in _SHAPES],
        },
        "SpecWithPolicy": _object(
            "The request together with a policy.",
            {
                "name": RUN_NAME,
                "training_job": {"$ref": "#/components/schemas/TrainingJob"},
                "policy": {"$ref": "#/components/schemas/Policy"},
                **others,
            },
            ["name", "training_job"],
        ),
        "SpecOfOptions": _object(
            "Options of the SageMaker Python SDK, and under training_job what has no option.",
            {
                "name": RUN_NAME,
                "estimator": _object("docs/spec.md lists the options of each version.", _list_options(), []),
                "training_job": {"type": "object", "properties": _training_job()["properties"]},
                "policy": {"$ref": "#/components/schemas/Policy"},
                **others,
            },
            ["estimator"],
        ),
        "BareSpec": {
            "description": "The request alone. Its TrainingJobName is the run's name, and the policy is the default.",
            "allOf": [{"$ref": "#/components/schemas/TrainingJob"}, {"required": ["TrainingJobName"]}],
        },
        "TrainingJob": _training_job(),
        "Policy": {**_schema_of(PolicyModel, defaults=True), "dependentRequired": _NEEDS},
        "OnSuccess": {
            **_schema_of(SuccessModel, defaults=True, path=ON_SUCCESS),
            "minProperties": 1,
            "description": "What to do with the model of the run, if the stack allows it.",
        },
        "OnEnd": _object(
            "The task of Step Functions to which the end of the run is reported, if the stack allows it.",
            {TASK_TOKEN: {"type": "string", "minLength": 1, "maxLength": MAX_TOKEN_CHARACTERS}},
            [TASK_TOKEN],
        ),
        "Notify": _build_notify(),
        "Resumption": {
            **_schema_of(ResumptionModel, defaults=False),
            "description": "Changes to the budgets and the deadline. What is left out stays as it is.",
        },
        "Move": {
            **_schema_of(MoveModel, defaults=False),
            "description": "Where the run continues. The ladder and the money budget decide on which instances.",
        },
        "DeadlineChange": _build_deadline_change(),
    }


def _build_notify() -> Schema:
    one_of = {"type": "string", "enum": [ALL, NONE, *NoticeKind]}
    some = {"type": "array", "items": {"type": "string", "enum": list(NoticeKind)}, "minItems": 1}
    description = "The notices that the run sends: all, none, one kind, or a list of kinds. Without it, the stack's."
    return {"description": description, "anyOf": [one_of, some]}


def _build_deadline_change() -> Schema:
    schema = _schema_of(DeadlineChangeModel, defaults=False)
    removal = _object("Removes the deadline.", {"deadline": {"type": "null"}}, ["deadline"])
    return {
        "description": "Changes to the deadline, where what is left out stays as it is, or null to remove it.",
        "anyOf": [schema | {"minProperties": 1}, removal],
    }


def build_query() -> dict[str, Schema]:
    """Return the query parameters by name."""
    status = {"type": "string", "enum": [str(status) for status in RunStatus]}
    limit = {"type": "integer", "minimum": 1, "maximum": 100, "default": 25}
    token = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z#[a-zA-Z0-9-]{1,63}$"}
    found = {
        "status": ("Only list runs with this status.", status),
        "limit": ("The maximum number of runs.", limit),
        "token": ("The next_token of the previous page.", token),
        "dry_run": (
            "Only return what would happen: 200 with problems, warnings and a plan. Nothing is stored or launched.",
            {"type": "string", "enum": ["true", "false"], "default": "false"},
        ),
    }
    return {
        name: {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
        for name, (description, schema) in found.items()
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
        "A CreateTrainingJob request, as boto3's create_training_job takes it: at most 80,000 bytes of JSON. With a "
        "policy, TrainingJobName is left out or equals name."
    )
    schema = _object(description, properties | {"TrainingJobName": RUN_NAME}, required)
    return schema | {"externalDocs": {"description": "What each key may contain", "url": REFERENCE}}


def _list_options() -> dict[str, Schema]:
    """Return the options of all versions of the SDK; those of objects in version 3 are in their objects."""
    names = {name for option in OPTIONS for name in option[1:] if name is not None}
    objects: dict[str, Schema] = {group: {"type": "object"} for group in GROUPS}
    return objects | {name: {} for name in sorted(names) if "." not in name}


def _object(description: str, properties: dict[str, Schema], required: list[str]) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


class _Documents(GenerateJsonSchema):
    """Generates schemas of documents, in which a key may be left out but not be null."""

    def nullable_schema(self, schema: Any) -> Schema:
        return self.generate_inner(schema["schema"])


def _schema_of(model: type[BaseModel], *, defaults: bool, path: str = "") -> Schema:
    """Return the schema of a model in one piece, with the descriptions of keys from docs/spec.md.

    ``path`` is the key whose value the model is, if its own keys have names that others have, too.
    """
    schema = model.model_json_schema(schema_generator=_Documents)
    definitions: dict[str, Schema] = schema.pop("$defs", {})
    meanings = dict(_ROW.findall((ROOT / "docs/spec.md").read_text("utf-8")))

    def inline(schema: Schema, path: str, *, is_described: bool = False) -> Schema:
        if "$ref" in schema:
            # The defaults of a mapping are those of its keys.
            schema = definitions[schema["$ref"].rpartition("/")[2]]
        dropped = {"title"} if defaults and schema.get("default") is not None else {"title", "default"}
        plain = {key: value for key, value in schema.items() if key not in dropped}
        if path in meanings and not is_described:
            plain = {"description": meanings[path]} | plain
        if "anyOf" in plain:
            plain["anyOf"] = [inline(one, path, is_described=True) for one in plain["anyOf"]]
        if "items" in plain:
            plain["items"] = inline(plain["items"], f"{path}[]")
        if "properties" in plain:
            inner = plain["properties"].items()
            plain["properties"] = {name: inline(one, f"{path}.{name}".removeprefix(".")) for name, one in inner}
        return plain

    return inline(schema, path)
