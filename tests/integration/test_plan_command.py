"""`spot-relay plan` against a scripted stack: what it adds to the API's answer, its JSON, and its exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from spot_relay_client.cli import cli
from tests.integration.scripted_aws import serve_scripted_aws  # noqa: F401 (a fixture)
from tests.plan_picture import plan_example
from tests.unit.worlds import TRAINING_JOB

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.scripted_aws import Answer, ScriptedAws

SPEC: dict[str, Any] = {"name": "churn", "training_job": TRAINING_JOB | {"HyperParameters": {"epochs": "3"}}}
LISTED = "<ListBucketResult><Contents><Key>churn/checkpoints/model.7</Key></Contents></ListBucketResult>"
NOTHING = "<ListBucketResult></ListBucketResult>"
QUOTAS = {"Quotas": [{"QuotaName": "ml.p3.8xlarge for spot training job usage", "Value": 2.0}]}
WARNING = {
    "rule": "run-exists",
    "severity": "warning",
    "path": "name",
    "message": "There is a run of this very spec already, and it is Completed.",
    "why": "Submitting a spec again returns the run that it has, and launches nothing.",
    "fix": "Submit it under another name.",
    "page": "docs/lint.md#run-exists",
}
PROBLEM = {"path": "training_job.RoleArn", "message": "This stack may not pass it."}


def plan(
    aws: ScriptedAws, *arguments: str, listed: str = NOTHING, quotas: Answer = (200, QUOTAS), **answer: Any
) -> tuple[int, str]:
    """Call the command for a stack that gives this answer."""
    document = {"problems": [], "warnings": [], "plan": plan_example()} | answer

    def respond(method: str, path: str) -> Answer:
        if path.startswith("/v1/runs"):
            return 200, document
        return (200, listed.encode()) if method == "GET" else quotas

    aws.answer = respond
    aws.requests.clear()
    result = CliRunner().invoke(cli, ["plan", "-", *arguments], input=json.dumps(SPEC))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert [path for _, path in aws.requests if path.startswith("/v1")] == ["/v1/runs?dry_run=true"]
    return result.exit_code, result.output


@pytest.fixture
def aws(server: ScriptedAws) -> ScriptedAws:
    return server


def test_it_asks_for_a_dry_run_and_draws_the_plan_with_the_accounts_quotas(aws: ScriptedAws) -> None:
    code, output = plan(aws)
    assert code == 0
    assert "image-classification-imagenet" in output
    assert "at best" in output


def test_its_json_is_the_apis_answer_with_the_quotas(aws: ScriptedAws) -> None:
    code, output = plan(aws, "--json")
    answer = json.loads(output)
    assert code == 0
    assert set(answer) == {"problems", "warnings", "plan"}
    spot, paid = answer["plan"]["placements"]
    assert spot["quota"] == {"limit": 2.0, "used": None, "source": "Service Quotas"}
    assert paid["quota"] is None


def test_quotas_that_cannot_be_read_are_unknown(aws: ScriptedAws) -> None:
    code, output = plan(aws, "--json", quotas=(400, {"__type": "AccessDeniedException", "message": "no"}))
    assert code == 0
    assert [each["quota"] for each in json.loads(output)["plan"]["placements"]] == [None, None]


def test_problems_exit_with_2(aws: ScriptedAws) -> None:
    code, output = plan(aws, problems=[PROBLEM], plan=None)
    assert code == 2
    assert "problem: training_job.RoleArn: This stack may not pass it." in output


def test_warnings_exit_with_1_only_if_it_is_strict(aws: ScriptedAws) -> None:
    code, output = plan(aws, warnings=[WARNING])
    assert code == 0
    assert "warning: name: There is a run of this very spec already" in output
    assert plan(aws, "--strict", warnings=[WARNING])[0] == 1
    assert plan(aws, "--strict", "--allow", "run-exists", warnings=[WARNING])[0] == 0


def test_a_checkpoint_prefix_that_is_not_empty_is_found_with_the_callers_own_credentials(aws: ScriptedAws) -> None:
    code, output = plan(aws, "--json", listed=LISTED)
    assert code == 0
    (warning,) = json.loads(output)["warnings"]
    assert warning["rule"] == "checkpoint-prefix-not-empty"


def test_a_file_that_is_no_spec_asks_the_stack_nothing(aws: ScriptedAws, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("a: [", "utf-8")
    aws.requests.clear()
    result = CliRunner().invoke(cli, ["plan", str(file)])
    assert result.exit_code == 2
    assert "bad.yaml is neither JSON nor YAML" in result.output
    assert aws.requests == []
