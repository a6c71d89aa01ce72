"""Examples of requests and answers. The requests are documents that the tests submit as specs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from openapi.requests import ROOT
from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.lint.draft import read_draft
from spot_relay.domain.lint.lint import find_flaws
from spot_relay.domain.plan.document import plan_document
from spot_relay.domain.plan.plan import build_plan
from spot_relay.domain.run.observation import Launched
from spot_relay.domain.shown.report import status_document
from spot_relay.request.built_in_images import find_image
from spot_relay.spec import Allowlist, Format, read_submission
from spot_relay_client.spec_file import read_spec
from spot_relay_client.stack import Stack

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

_SUBMITTED = datetime(2025, 6, 3, 9, 14, tzinfo=UTC)
_REGION = "us-east-1"
_ARN = "arn:aws:sagemaker:us-east-1:000000000000:training-job/churn-relay-01"


def read_requests() -> dict[str, dict[str, Any]]:
    """Return examples of request bodies by the name of their schema."""
    return {
        "Spec": {
            "withPolicy": {"summary": "With a policy", "value": json.loads(_read_posted_spec())},
            "bare": {
                "summary": "A CreateTrainingJob request as it is",
                "value": _read_bare_example(),
            },
            "deadline": {
                "summary": "With a deadline",
                "value": _read_example("deadline.yaml"),
            },
        },
        "Resumption": {
            "more": {
                "summary": "With more waits, and a deadline that counts from now",
                "value": {"budgets": {"expired_waits": 20}, "deadline": "P1D", "expected_runtime": "PT6H"},
            }
        },
        "Move": {
            "onDemand": {"summary": "To on-demand, where the run stays", "value": {"market": "on-demand"}},
            "spot": {"summary": "To spot, where the policy decides again", "value": {"market": "spot"}},
        },
        "DeadlineChange": {
            "later": {"summary": "Two days from now", "value": {"deadline": "P2D"}},
            "first": {
                "summary": "A first deadline",
                "value": {"deadline": "2030-01-01T12:00:00Z", "expected_runtime": "PT6H"},
            },
            "none": {"summary": "No deadline from now on", "value": {"deadline": None}},
        },
    }


def _read_example(name: str) -> dict[str, Any]:
    """Return an example as the client sends it to a stack."""
    parameters = {
        "AllowedRoleArns": "arn:aws:iam::111122223333:role/spot-relay-training",
        "AllowedCheckpointBuckets": "example-training-111122223333",
    }
    stack = Stack("spot-relay", _REGION, {}, parameters, account="111122223333")
    filled_in: dict[str, Any] = stack.fill_in(read_spec((ROOT / "examples" / name).read_text("utf-8"), name))
    return filled_in


def _read_bare_example() -> dict[str, Any]:
    """Return an example as a request, which names its image."""
    spec = _read_example("xgboost.json")
    job: dict[str, Any] = {"TrainingJobName": spec["name"], **spec["training_job"]}
    image = find_image(spec["estimator"]["algorithm"], _REGION)
    return job | {"AlgorithmSpecification": {"TrainingImage": image, **job["AlgorithmSpecification"]}}


def build_answers() -> dict[str, Any]:
    """Return an example of each answer by the name of its schema."""
    run = _build_launched_run()
    shared = ("run_id", "status", "reason", "created_at", "updated_at")
    summary = {key: run[key] for key in shared} | {"attempts": len(run["attempts"])}
    problem = {"path": "HyperParameters.num_round", "message": "Expected a string, but found an integer. …"}
    return {
        "Run": run,
        "SubmittedRun": run | {"created": True},
        "DryRun": _build_dry_run(),
        "Page": {"runs": [summary], "next_token": "2025-06-03T09:14:00.000000Z#churn"},
        "Error": {"code": "InvalidSpec", "message": "The document has 1 problem.", "details": [problem]},
    }


def _build_dry_run() -> dict[str, Any]:
    """Return what would happen to the posted spec."""
    document = json.loads(_read_posted_spec())
    plan = build_plan(_accept_posted_spec(), None, {})
    return {
        "problems": [],
        "warnings": [flaw.document() for flaw in find_flaws(read_draft(document))],
        "plan": json.loads(json.dumps(plan_document(plan))),
    }


def _read_posted_spec() -> str:
    event = json.loads((ROOT / "events/api/create-run.json").read_text("utf-8"))
    body: str = event["body"]
    return body


def _build_launched_run() -> dict[str, Any]:
    """Return the run of the posted spec as it is shown after its launch."""
    launched = decide(_accept_posted_spec(), Facts(Launched(1, _ARN)), _SUBMITTED).run
    shown: dict[str, Any] = json.loads(json.dumps(status_document(launched, _REGION)))
    return shown


def _accept_posted_spec() -> Run:
    job = json.loads(_read_posted_spec())["training_job"]
    allowed = Allowlist((job["RoleArn"],), (job["AlgorithmSpecification"]["TrainingImage"],), ("churn-*",))
    return accept(read_submission(_read_posted_spec().encode(), Format.JSON, allowed), "an id", _SUBMITTED)
