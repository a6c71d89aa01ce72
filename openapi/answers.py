"""Schemas of what the API answers: runs, pages of them, and errors."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from openapi.requests import ROOT, RUN_NAME, Schema
from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.run.observation import Launched
from spot_relay.domain.run.policy import Budgets, ReturnToSpot
from spot_relay.domain.run.run import AttemptStatus, CanaryStatus, RunStatus, Spent
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.shown.report import status_document
from spot_relay.spec import Allowlist, Format, read_submission

if TYPE_CHECKING:
    from enum import StrEnum

_STORY = datetime(2025, 6, 3, 9, 14, tzinfo=UTC)
_ARN = "arn:aws:sagemaker:us-east-1:000000000000:training-job/churn-relay-01"


def schemas() -> dict[str, Schema]:
    """Give the schemas of answers by their names."""
    return {
        "Run": _run(),
        "Attempt": _attempt(),
        "Placement": _placement(),
        "Checkpoint": _object("A checkpoint in S3.", {"key": _text(), "last_modified": _moment()}),
        "Canary": _canary(),
        "Decision": _decision(),
        "RunSummary": _summary(),
        "Page": _object(
            "Runs, newest first.",
            {
                "runs": {"type": "array", "items": _reference("RunSummary")},
                "next_token": _nullable(_text("Where the next page begins; null after the last one.")),
            },
        ),
        "Error": _error(),
    }


def error(*codes: str) -> Schema:
    """Give the schema of an error with one of these codes."""
    code = {"type": "object", "properties": {"code": {"type": "string", "enum": list(codes)}}}
    return {"allOf": [_reference("Error"), code]} if codes else _reference("Error")


def examples() -> dict[str, Any]:
    """Give an example of each answer by the schema that it fits."""
    run = _example()
    known = ("run_id", "status", "reason", "created_at", "updated_at")
    summary = {key: run[key] for key in known} | {"attempts": len(run["attempts"])}
    problem = {"path": "HyperParameters.num_round", "message": "Expected a string, but found an integer. …"}
    return {
        "Run": run,
        "Page": {"runs": [summary], "next_token": "2025-06-03T09:14:00.000000Z#churn"},
        "Error": {"code": "InvalidSpec", "message": "The document has 1 problem.", "details": [problem]},
    }


def _example() -> dict[str, Any]:
    """Give the run of the event documents, as it is shown once it has been launched."""
    body: str = json.loads((ROOT / "events/api/create-run.json").read_text("utf-8"))["body"]
    job = json.loads(body)["training_job"]
    allowed = Allowlist((job["RoleArn"],), (job["AlgorithmSpecification"]["TrainingImage"],), ("churn-*",))
    submission = read_submission(body.encode(), Format.JSON, allowed)
    run = accept(submission, "an id", _STORY)
    launched = decide(run, Facts(Launched(1, _ARN)), _STORY).run
    shown: dict[str, Any] = json.loads(json.dumps(status_document(launched)))
    return shown


def _run() -> Schema:
    budgets = _counts(Budgets) | {"money_usd": _nullable(_number("What all attempts together may cost, in USD."))}
    return _object(
        "A run as its status document in S3 shows it, too. Times are UTC, durations whole seconds, money is USD.",
        {
            "run_id": RUN_NAME,
            "status": _choice(RunStatus),
            "reason": _text("Why it has this status."),
            "created_at": _moment(),
            "updated_at": _moment(),
            "ended_at": _nullable(_moment()),
            "check_at": _nullable(_moment("When an open run is looked at again, whatever is heard of it.")),
            "stop_requested": {"type": "boolean"},
            "attempts": {"type": "array", "items": _reference("Attempt"), "minItems": 1, "maxItems": 50},
            "training_seconds": _whole(),
            "billable_seconds": _whole(),
            "waited_seconds": _whole("How long its attempts waited for capacity."),
            "interruptions": _whole("How often spot capacity was taken away."),
            "savings_percent": _nullable(_number("(1 - billable / training) * 100; null until something trained.")),
            "wasted_seconds": _whole("Training that was lost because no checkpoint came after it."),
            "cost_usd": _nullable(_number("Null where a price is missing, as the next two.")),
            "on_demand_cost_usd": _nullable(_number("What the training that was kept would have cost on demand.")),
            "wasted_usd": _nullable(_number()),
            "prices": _nullable(_object("Where the prices come from.", {"source": _text(), "as_of": _moment()})),
            "deadline": _nullable(_deadline()),
            "spent": _object("How much of each budget has been used, in relaunches.", _counts(Spent)),
            "budgets": _object("How many relaunches each kind of bad end may have.", budgets),
            "canaries": {"type": "array", "items": _reference("Canary")},
            "decisions": {"type": "array", "items": _reference("Decision"), "description": "The newest 40."},
        },
    )


def _deadline() -> Schema:
    return _object(
        "When the run has to be done.",
        {
            "at": _moment(),
            "expected_runtime_seconds": _whole(),
            "progress_seconds": _whole("The training that its checkpoints hold."),
            "return_to_spot": _choice(ReturnToSpot),
        },
    )


def _attempt() -> Schema:
    return _object(
        "One training job of the run.",
        {
            "number": _whole(),
            "job_name": _text(),
            "status": _choice(AttemptStatus),
            "cause": _text("Why it was planned: Submitted, Resumed, how the last one ended, or what a deadline asked."),
            "phase": _nullable(_text("The newest SecondaryStatus of its job.")),
            "outcome": _nullable(_choice(Outcome)),
            "failure_reason": _nullable(_text("What SageMaker said, without values of the spec that may be secret.")),
            "resumes_from": {"anyOf": [_reference("Checkpoint"), {"type": "null"}]},
            "placement": _reference("Placement"),
            "created_at": _nullable(_moment()),
            "training_started_at": _nullable(_moment()),
            "ended_at": _nullable(_moment()),
            "training_seconds": _nullable(_whole()),
            "billable_seconds": _nullable(_whole()),
            "waited_seconds": _nullable(_whole()),
            "interruptions": _whole(),
            "wasted_seconds": _whole(),
        },
    )


def _placement() -> Schema:
    volume = _nullable(_whole("Null for the volume that the training job names."))
    return _object(
        "Where an attempt runs.",
        {
            "instance_type": _text(),
            "instance_count": _whole(),
            "market": _choice(Market),
            "volume_size_gb": volume,
        },
    )


def _canary() -> Schema:
    return _object(
        "A spot job that only sleeps, beside an attempt on demand, and tells when capacity is there.",
        {
            "job_name": _text(),
            "status": _choice(CanaryStatus),
            "phase": _nullable(_text()),
            "planned_at": _moment(),
            "billable_seconds": _nullable(_whole()),
        },
    )


def _decision() -> Schema:
    return _object(
        "Why the run was changed.",
        {
            "at": _moment(),
            "observation": _text("On what."),
            "reason": _text(),
            "times": _whole("How often it came, alone or in turn with one other."),
            "until": _nullable(_moment()),
        },
    )


def _summary() -> Schema:
    return _object(
        "A run in a listing.",
        {
            "run_id": RUN_NAME,
            "status": _choice(RunStatus),
            "reason": _text(),
            "attempts": _whole("How many."),
            "created_at": _moment(),
            "updated_at": _moment(),
        },
    )


def _error() -> Schema:
    problem = _object(
        "One thing to change.",
        {
            "path": _text("From the top of the document, such as policy.budgets.expired_waits; empty for all of it."),
            "message": _text("What was found, and what to do."),
        },
    )
    return _object(
        "Why a request was refused.",
        {"code": _text(), "message": _text(), "details": {"type": "array", "items": problem, "maxItems": 101}},
    )


def _counts(of: type[Budgets | Spent]) -> dict[str, Schema]:
    return {field.name: _whole() for field in fields(of) if field.name != "money_usd"}


def _object(description: str, properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _nullable(schema: Schema) -> Schema:
    nullable = {**schema, "type": [schema["type"], "null"]}
    return nullable | {"enum": [*schema["enum"], None]} if "enum" in schema else nullable


def _text(description: str = "") -> Schema:
    return _told({"type": "string"}, description)


def _whole(description: str = "") -> Schema:
    return _told({"type": "integer", "minimum": 0}, description)


def _number(description: str = "") -> Schema:
    return _told({"type": "number"}, description)


def _moment(description: str = "") -> Schema:
    return _told({"type": "string", "format": "date-time"}, description)


def _choice(values: type[StrEnum]) -> Schema:
    return {"type": "string", "enum": [str(value) for value in values]}


def _told(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description} if description else schema


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
