"""The client against an API that answers late, wrongly or not at all: nothing is submitted or resumed twice."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.config import Config
from click.testing import CliRunner

from spot_relay_client import api
from spot_relay_client.cli import cli
from spot_relay_client.errors import (
    ConflictError,
    InvalidSpecError,
    NoSuchRunError,
    StackNotFoundError,
    UnreachableError,
    WaitTimeoutError,
)
from spot_relay_client.relay import SpotRelay
from tests.integration.scripted_aws import ROLE, serve_scripted_aws  # noqa: F401 (a fixture)
from tests.unit.client.documents import run_document

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.integration.scripted_aws import Answer, ScriptedAws

LOST: Final = (0, None)
SPEC: Final = {"name": "churn", "training_job": {}}


@pytest.fixture(scope="module")
def shared_relay(server: ScriptedAws) -> SpotRelay:
    """The runs of the scripted stack; its clients are made once."""
    return SpotRelay(sleep=lambda _: None)


@pytest.fixture
def aws(server: ScriptedAws) -> ScriptedAws:
    """The scripted AWS, which has seen no request to the API yet."""
    server.requests.clear()
    return server


@pytest.fixture
def relay(aws: ScriptedAws, shared_relay: SpotRelay) -> SpotRelay:
    """The runs of the scripted stack."""
    return shared_relay


def made_now(**fields: Any) -> dict[str, Any]:
    return run_document(created_at=datetime.now(UTC).isoformat(), **fields)


NO_SUCH_RUN: Final = (404, {"code": "NoSuchRun", "message": "There is no run churn.", "details": []})
CONFLICT: Final = (409, {"code": "Rejected", "message": "The run has not ended.", "details": []})


def test_a_spec_is_submitted_once_and_signed_for_the_api(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(POST=[(202, made_now(created=True))])
    assert relay.submit(SPEC).created is True
    assert aws.requests == [("POST", "/v1/runs")]
    assert aws.signed_for == {"execute-api"}


@pytest.mark.parametrize("failure", [LOST, (500, {"message": "x"}), (503, b"<html>"), (429, {"message": "slow down"})])
def test_a_failed_submission_is_repeated_with_the_same_spec(
    aws: ScriptedAws, relay: SpotRelay, failure: Answer
) -> None:
    aws.script(POST=[failure, (202, made_now())])
    assert relay.submit(SPEC).name == "churn"
    assert aws.count("POST") == 2


def test_values_of_the_stack_are_filled_in_before_a_spec_is_sent(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(POST=[(202, made_now())])
    relay.submit({"name": "churn", "training_job": {"RoleArn": "{stack.role}"}})
    assert json.loads(aws.bodies[-1]) == {"name": "churn", "training_job": {"RoleArn": ROLE}}


def dry_run(tmp_path: Path, *arguments: str) -> Result:
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(SPEC))
    return CliRunner().invoke(cli, ["submit", str(file), "--dry-run", *arguments])


@pytest.mark.parametrize(("problems", "code"), [([], 0), ([{"path": "name", "message": "It is taken."}], 6)])
def test_a_dry_run_submits_nothing_and_says_whether_the_spec_would_be_accepted(
    aws: ScriptedAws, tmp_path: Path, problems: list[dict[str, str]], code: int
) -> None:
    warnings = [{"path": "", "message": "It has no checkpoints."}]
    answer = {"problems": problems, "warnings": warnings, "plan": None}
    aws.script(POST=[(200, answer)])
    shown = dry_run(tmp_path)
    assert aws.requests == [("POST", "/v1/runs?dry_run=true")]
    assert shown.exit_code == code
    assert "warning: (the document): It has no checkpoints." in shown.output
    assert ("problem: name: It is taken." in shown.output) is bool(problems)
    assert ("would be accepted" in shown.output) is (not problems)
    assert json.loads(dry_run(tmp_path, "--json").output) == answer


def test_a_stack_that_is_too_old_for_dry_runs_is_not_asked_for_one(
    aws: ScriptedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(aws, "version", None)
    shown = dry_run(tmp_path)
    assert shown.exit_code == 1
    assert "is older than this client" in shown.output
    assert aws.requests == []
    # Once it is updated, nobody has to wait for what is kept of it to grow old.
    monkeypatch.setattr(aws, "version", "0.2.0")
    aws.script(POST=[(200, {"problems": [], "warnings": [], "plan": None})])
    assert dry_run(tmp_path).exit_code == 0


def test_after_a_lost_answer_the_run_is_asked_for_by_its_name(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(POST=[LOST], GET=[(200, made_now())])
    assert relay.submit(SPEC).name == "churn"
    assert aws.requests[-1] == ("GET", "/v1/runs/churn")


def test_an_older_run_of_the_name_is_not_taken_for_the_one_that_was_submitted(
    aws: ScriptedAws, relay: SpotRelay
) -> None:
    aws.script(POST=[LOST], GET=[(200, run_document(created_at="2026-05-01T00:00:00Z"))])
    with pytest.raises(UnreachableError, match="you can safely repeat it"):
        relay.submit(SPEC)


def test_a_submission_that_made_no_run_fails_clearly(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(POST=[(500, {"message": "x"})], GET=[NO_SUCH_RUN])
    with pytest.raises(UnreachableError, match="spot-relay doctor"):
        relay.submit(SPEC)


def test_the_problems_of_a_spec_are_named(aws: ScriptedAws, relay: SpotRelay) -> None:
    details = [{"path": "training_job.RoleArn", "message": "It is missing."}]
    aws.script(POST=[(400, {"code": "InvalidSpec", "message": "1 problem.", "details": details})])
    with pytest.raises(InvalidSpecError, match=r"training_job\.RoleArn: It is missing") as caught:
        relay.submit(SPEC)
    assert caught.value.details == details
    assert aws.count("POST") == 1


def test_a_run_is_moved_although_the_first_answer_was_lost(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(POST=[LOST, (202, run_document())])
    assert relay.move("churn", "on-demand").name == "churn"
    assert aws.requests == [("POST", "/v1/runs/churn/move")] * 2
    assert json.loads(aws.bodies[-1]) == {"market": "on-demand"}


@pytest.mark.parametrize(
    ("deadline", "more", "sent"),
    [
        ("P2D", {}, {"deadline": "P2D"}),
        (None, {}, {"deadline": None}),
        (
            datetime(2030, 1, 1, tzinfo=UTC),
            {"expected_runtime": "PT2H"},
            {"deadline": "2030-01-01T00:00:00+00:00", "expected_runtime": "PT2H"},
        ),
    ],
)
def test_a_deadline_is_changed_to_a_duration_an_instant_or_none(
    aws: ScriptedAws, relay: SpotRelay, deadline: Any, more: dict[str, str], sent: dict[str, Any]
) -> None:
    aws.script(POST=[(202, run_document())])
    relay.change_deadline("churn", deadline, **more)
    assert aws.requests == [("POST", "/v1/runs/churn/deadline")]
    assert json.loads(aws.bodies[-1]) == sent


def test_the_command_moves_a_run_and_changes_its_deadline(aws: ScriptedAws) -> None:
    aws.script(POST=[(202, run_document())] * 3)
    for arguments, sent in (
        (["move", "churn", "--to", "spot"], {"market": "spot"}),
        (["deadline", "churn", "P2D", "--expected-runtime", "PT6H"], {"deadline": "P2D", "expected_runtime": "PT6H"}),
        (["deadline", "churn", "none"], {"deadline": None}),
    ):
        done = CliRunner().invoke(cli, arguments)
        assert (done.exit_code, json.loads(aws.bodies[-1])) == (0, sent), done.output
        assert done.output.startswith("churn is InProgress: ")
    refused = CliRunner().invoke(cli, ["move", "churn", "--to", "the moon"])
    assert (refused.exit_code, aws.count("POST")) == (2, 3)


def test_a_resumption_whose_answer_was_lost_is_found_by_the_state_of_the_run(
    aws: ScriptedAws, relay: SpotRelay
) -> None:
    aws.script(GET=[(200, run_document(status="Failed")), (200, run_document())], POST=[LOST, CONFLICT])
    assert relay.resume("churn").status == "InProgress"


def test_a_resumption_that_is_refused_at_once_is_refused(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(GET=[(200, run_document(status="Failed")), (200, run_document())], POST=[CONFLICT])
    with pytest.raises(ConflictError, match="The run has not ended"):
        relay.resume("churn")


def test_a_resumption_that_was_not_carried_out_fails_clearly(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(GET=[(200, run_document(status="Failed"))], POST=[LOST])
    with pytest.raises(UnreachableError):
        relay.resume("churn")


@pytest.mark.parametrize("answer", [b"<html>not JSON</html>", b"[]", b"\xff\xfe", b'"text"'])
def test_an_answer_that_is_no_run_leads_to_a_clear_error(aws: ScriptedAws, relay: SpotRelay, answer: bytes) -> None:
    aws.script(GET=[(200, answer)])
    with pytest.raises(UnreachableError, match="could not be used"):
        relay.get("churn")


def test_an_answer_of_an_api_of_another_version_leads_to_a_clear_error(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(GET=[(200, {"id": "churn", "state": "RUNNING"})])
    with pytest.raises(UnreachableError, match="another version"):
        relay.get("churn")


def test_an_api_that_hangs_leads_to_a_clear_error(aws: ScriptedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(_method: str, _path: str) -> Answer:
        released.wait()
        return LOST

    aws.answer = hang
    monkeypatch.setattr(api, "_CONFIG", api._CONFIG.merge(Config(read_timeout=0.2)))
    try:
        with pytest.raises(UnreachableError, match="timeout"):
            SpotRelay().get("churn")
    finally:
        released.set()


def test_waiting_goes_on_while_the_api_fails_and_ends_with_the_run(aws: ScriptedAws, relay: SpotRelay) -> None:
    failing = [(500, {"message": "x"})] * 6
    aws.script(GET=[(200, run_document()), *failing, (200, run_document(status="Completed"))])
    assert relay.wait("churn").status == "Completed"


def test_waiting_ends_after_its_time_and_the_run_goes_on(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(GET=[(200, run_document())])
    with pytest.raises(WaitTimeoutError, match="It goes on"):
        relay.wait("churn", timeout=0)
    assert aws.count("POST") == 0


def test_a_run_that_is_not_there_is_not_waited_for(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(GET=[NO_SUCH_RUN])
    with pytest.raises(NoSuchRunError):
        relay.wait("churn")


def test_all_pages_of_runs_are_read(aws: ScriptedAws, relay: SpotRelay) -> None:
    def page(name: str, token: str | None) -> Answer:
        summary = {key: run_document()[key] for key in ("status", "reason", "created_at", "updated_at")}
        return 200, {"runs": [summary | {"run_id": name, "attempts": 1}], "next_token": token}

    aws.script(GET=[page("a", "more"), page("b", None)])
    assert [run.name for run in relay.list("Failed")] == ["a", "b"]
    assert [path for _, path in aws.requests] == ["/v1/runs?status=Failed", "/v1/runs?status=Failed&token=more"]


def test_processes_share_what_was_found_of_a_stack_even_if_it_was_damaged(
    aws: ScriptedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    SpotRelay()
    (kept,) = (tmp_path / "spot-relay").iterdir()
    before = kept.read_text()
    kept.write_text(before[:10])
    threads = [threading.Thread(target=SpotRelay) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in (tmp_path / "spot-relay").iterdir()] == [kept.name]
    assert kept.read_text() == before


def test_without_a_region_the_error_says_what_to_set(aws: ScriptedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(StackNotFoundError, match="AWS_REGION"):
        SpotRelay()
