"""`spot-relay lint`: what it prints, its JSON, and its exit codes. It needs neither AWS nor a stack."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from spot_relay_client.cli import cli
from tests.unit.worlds import TRAINING_JOB


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "SPOT_RELAY_STACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def write(path: str, name: str = "churn", **resources: Any) -> str:
    job = copy.deepcopy(TRAINING_JOB)
    job["HyperParameters"] = {"epochs": "3"}
    job["ResourceConfig"] |= resources
    job["CheckpointConfig"]["S3Uri"] = f"s3://models/{name}/checkpoints/"
    Path(path).write_text(yaml.safe_dump({"name": name, "training_job": job}), "utf-8")
    return path


def lint(*arguments: str, text: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["lint", *arguments], input=text)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_a_spec_that_is_fine_exits_with_0() -> None:
    assert lint(write("a.yaml")) == (0, "0 errors, 0 warnings in 1 file\n")


def test_an_error_exits_with_2_and_says_where_why_and_how_to_fix_it() -> None:
    code, output = lint(write("a.yaml", KeepAlivePeriodInSeconds=60))
    assert code == 2
    assert "error: training_job.ResourceConfig.KeepAlivePeriodInSeconds:" in output
    assert "[warm-pool-with-spot]" in output
    assert "Fix: Remove KeepAlivePeriodInSeconds." in output


def test_a_warning_exits_with_1_only_if_it_is_strict() -> None:
    file = write("a.yaml", InstanceCount=2)
    assert lint(file)[0] == 0
    assert lint(file, "--strict")[0] == 1
    assert lint(file, "--strict", "--allow", "several-checkpoint-writers")[0] == 0


def test_a_rule_that_does_not_exist_cannot_be_allowed() -> None:
    code, output = lint(write("a.yaml"), "--allow", "nonsense")
    assert code == 2
    assert "There is no rule nonsense" in output


def test_specs_that_are_checked_together_are_compared() -> None:
    first = write("a.yaml")
    text = yaml.safe_load(Path(first).read_text("utf-8")) | {"name": "other"}
    code, output = lint(first, "-", text=json.dumps(text))
    assert code == 2
    assert output.count("[shared-checkpoint-prefix]") == 2


def test_a_file_that_is_no_yaml_is_an_error_with_its_line() -> None:
    Path("bad.yaml").write_text("name: churn\ntraining_job: [", "utf-8")
    code, output = lint("bad.yaml", write("a.yaml"))
    assert code == 2
    assert "bad.yaml is neither JSON nor YAML" in output
    assert "(line 2" in output
    assert "1 error, 0 warnings in 2 files" in output


def test_a_missing_file_is_an_error() -> None:
    code, output = lint("missing.yaml")
    assert code == 2
    assert "missing.yaml" in output


def test_its_json_has_a_stable_shape() -> None:
    code, output = lint("--json", write("a.yaml", InstanceCount=2), "missing.yaml")
    answer = json.loads(output)
    assert code == 2
    assert (answer["errors"], answer["warnings"]) == (1, 1)
    first, second = answer["files"]
    assert (first["file"], first["error"]) == ("a.yaml", None)
    (finding,) = first["findings"]
    assert set(finding) == {"rule", "severity", "path", "message", "why", "fix", "page"}
    assert second["findings"] == []
    assert "missing.yaml" in second["error"]


def test_without_a_file_it_says_what_it_needs() -> None:
    code, output = lint()
    assert code == 2
    assert "Name at least one file" in output


def test_it_prints_its_rules() -> None:
    code, output = lint("--rules")
    assert code == 0
    assert output.startswith("# Lint rules\n")
    assert "## warm-pool-with-spot\n" in output


def test_the_region_of_the_environment_is_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    job = TRAINING_JOB | {"OutputDataConfig": {"S3OutputPath": "s3://sagemaker-us-east-1-1/out"}}
    Path("a.json").write_text(json.dumps(job), "utf-8")
    assert "[bucket-in-another-region]" in lint("a.json")[1]
