"""The example specs are valid, and their jobs survive an interrupted attempt."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from spot_relay.domain.sagemaker.job import Market
from spot_relay.spec import Format, parse_submission, read_resumption, read_submission
from tests.example_specs import ALLOWLIST, FOLDER, SPECS, read_example
from tests.unit.spec.documents import ALLOWLIST as DOCUMENT_RULES
from tests.unit.spec.documents import wrapped

if TYPE_CHECKING:
    from pathlib import Path

    from spot_relay.domain.run.submission import Submission


def submit_example(path: Path) -> Submission:
    """Return the submission that an example becomes."""
    return parse_submission(read_example(path), ALLOWLIST)


def test_there_are_nine_examples_and_the_readme_lists_each() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert len(SPECS) == 9
    assert all(f"`{path.name}`" in readme for path in SPECS)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_an_example_is_valid_and_uses_spot(path: Path) -> None:
    assert submit_example(path).training_job["EnableManagedSpotTraining"] is True


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_an_example_names_no_account_role_or_bucket(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "{stack.role}" in text
    assert not re.search(r"\d{12}|arn:aws|s3://(?!\{stack\.bucket\}/)", text)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_an_example_has_checkpoints_or_restarts_from_scratch(path: Path) -> None:
    submission = submit_example(path)
    assert ("CheckpointConfig" in submission.training_job) is not submission.policy.restart_from_scratch


def test_no_two_examples_share_a_name_or_a_checkpoint_prefix() -> None:
    submissions = [submit_example(path) for path in SPECS]
    prefixes = [s.training_job["CheckpointConfig"]["S3Uri"] for s in submissions if not s.policy.restart_from_scratch]
    assert len({submission.name for submission in submissions}) == len(SPECS)
    assert len(set(prefixes)) == len(prefixes) == 7


def test_the_policy_and_the_resumption_in_the_reference_are_valid() -> None:
    text = (FOLDER.parent / "docs" / "spec.md").read_text(encoding="utf-8")
    [whole] = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if block.startswith("policy:")]
    policy = parse_submission(wrapped(yaml.safe_load(whole)["policy"]), DOCUMENT_RULES).policy
    assert len(policy.ladder) == 3
    assert policy.deadline is not None
    bodies = re.findall(r"^(\{\"budgets\".*\})$", text, re.MULTILINE)
    assert [read_resumption(body.encode()).budgets for body in bodies] == [{"expired_waits": 20}]


def test_the_run_that_starts_later_in_the_reference_is_valid() -> None:
    text = (FOLDER.parent / "docs" / "spec.md").read_text(encoding="utf-8")
    [block] = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "\nafter:" in block]
    spec = block.replace("training_job:\n  # …", f"training_job: {json.dumps(wrapped()['training_job'])}")
    start = read_submission(spec.encode(), Format.YAML, DOCUMENT_RULES).start
    assert (start.after, start.continue_from) == (("churn-pretrained", "churn-labels"), "churn-pretrained")
    assert start.at is not None


def test_the_ladder_example_ends_on_demand_and_has_a_money_budget() -> None:
    policy = submit_example(FOLDER / "ladder.yaml").policy
    assert [rung.placement.market for rung in policy.ladder] == [Market.SPOT, Market.SPOT, Market.ON_DEMAND]
    assert policy.budgets.money_usd == 40


def test_the_deadline_example_allows_more_time_than_the_training_takes() -> None:
    deadline = submit_example(FOLDER / "deadline.yaml").policy.deadline
    assert deadline is not None
    assert deadline.within_seconds is not None
    assert deadline.within_seconds > deadline.expected_runtime_seconds + deadline.changeover_seconds
