"""The command `spot-relay` on the deployed template, with the environment of a user's shell."""

from __future__ import annotations

import csv
import io
import json
import signal
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from embedded.patience import give_time
from embedded.stack import make_client
from spot_relay.domain.shown.report import LOG_GROUP
from tests.e2e.command import Command
from tests.e2e.relay import CHECKPOINTS, Relay, eventually, spec

ROOT = Path(__file__).parents[2]
RUN = "commanded"
LINES = [f"line {number}" for number in range(1, 9)]


def print_lines(relay: Relay, attempt: int, lines: list[str]) -> None:
    """Print lines as two hosts of an attempt would: the odd ones on the first, the others on the second."""
    job = f"{RUN}-relay-{attempt:02}"
    eventually(f"{job} being created", lambda: job in relay.jobs(RUN) or None)
    logs = relay.stack.client("logs")
    begun = round(time.time() * 1000)
    for host in (0, 1):
        where = {"logGroupName": LOG_GROUP, "logStreamName": f"{job}/algo-{host + 1}-170"}
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=LOG_GROUP)
        logs.create_log_stream(**where)
        events = [{"timestamp": begun + index, "message": line} for index, line in enumerate(lines)]
        logs.put_log_events(**where, logEvents=events[host::2])


@pytest.fixture(scope="module")
def finished(relay: Relay, command: Command) -> dict[str, Any]:
    """A run through an expired wait to Completed, with what `watch` and `logs -f` printed meanwhile."""
    # Each attempt lasts until its lines are printed, also on a busy machine.
    seconds = round(give_time(1))
    relay.rule(RUN, train_seconds=seconds)
    relay.rule(RUN, "01", capacity={"after": 0, "interruptions": [{"after_training_seconds": 1}]}, train_seconds=60)
    made = json.dumps(spec("another-name"))
    assignments = [f"--set=name={RUN}", f"--set=training_job.CheckpointConfig.S3Uri=s3://{CHECKPOINTS}/{RUN}"]
    condition = "--set=training_job.StoppingCondition"
    limits = [f"{condition}.{name}InSeconds={seconds + 1}" for name in ("MaxRuntime", "MaxWaitTime")]
    submitted = command.json("submit", "-", *assignments, *limits, text=made)
    assert submitted["run_id"] == RUN
    assert submitted["status"] in {"Pending", "InProgress"}
    with command.begin("watch", RUN, "--json") as watching, command.begin("logs", "-f", RUN, "--json") as following:
        print_lines(relay, 1, LINES[:4])
        print_lines(relay, 2, LINES[4:])
        watched, errors = watching.communicate(timeout=give_time(100))
        assert watching.returncode == 0, errors
        logged, errors = following.communicate(timeout=give_time(60))
        assert following.returncode == 0, errors
    return {"watched": _objects(watched), "logged": _objects(logged)}


def _objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def printed_by_training(lines: list[dict[str, Any]]) -> list[str]:
    """Return the lines of these tests; a simulated job prints that nothing is trained."""
    return [line["text"] for line in lines if line["text"].startswith("line ")]


def test_a_log_that_is_followed_has_every_line_of_all_attempts_and_hosts_once_in_order(
    finished: dict[str, Any],
) -> None:
    assert printed_by_training(finished["logged"]) == LINES
    ours = [line for line in finished["logged"] if line["text"] in LINES]
    assert [(line["attempt"], line["host"]) for line in ours[3:5]] == [(1, "algo-2"), (2, "algo-1")]


def test_a_run_that_is_watched_shows_each_change_until_its_end(finished: dict[str, Any]) -> None:
    changes = finished["watched"]
    assert (changes[-1]["status"], changes[-1]["attempt"]) == ("Completed", 2)
    assert all(before != after for before, after in pairwise(changes))


@pytest.mark.usefixtures("finished")
def test_the_log_of_a_run_that_has_ended_is_printed_whole_or_in_part(command: Command) -> None:
    printed = command.run("logs", RUN).splitlines()
    assert [line.partition("  ")[2] for line in printed if "line " in line] == LINES
    one = _objects(command.run("logs", RUN, "--attempt", "2", "--json"))
    assert printed_by_training(one) == LINES[4:]
    since = next(line["at"] for line in one if line["text"] == LINES[5])
    assert printed_by_training(_objects(command.run("logs", RUN, "--since", since, "--json"))) == LINES[5:]
    assert "90m" in command.run("logs", RUN, "--since", "yesterday", code=2)


@pytest.mark.usefixtures("finished")
def test_a_run_is_listed_shown_and_explained(command: Command) -> None:
    assert RUN in command.run("ls", "--status", "completed", "--limit", "100")
    listed = command.json("ls", "--name", RUN)
    assert [run["run_id"] for run in listed["runs"]] == [RUN]
    assert command.json("ls", "--name", RUN, "--open") == {"runs": []}
    assert "MaxWaitTimeExceeded" in command.run("show", RUN)
    assert command.json("show", RUN) == listed["runs"][0]
    explained = command.json("explain", RUN)
    assert explained["decisions"] == listed["runs"][0]["decisions"]
    assert command.json("explain", RUN, "--last", "1")["decisions"] == explained["decisions"][-1:]
    assert "completed the training" in command.run("explain", RUN)


@pytest.mark.usefixtures("finished")
def test_the_page_of_a_run_and_that_of_all_runs_are_written_to_files(command: Command, tmp_path: Path) -> None:
    for arguments in ((RUN,), ("--sort", "name")):
        file = tmp_path / f"{len(arguments)}.html"
        assert command.json("page", *arguments, "-o", str(file)) == {"file": str(file), "bytes": file.stat().st_size}
        assert RUN in file.read_text("utf-8")


def test_a_chain_is_listed_as_a_tree(relay: Relay, command: Command) -> None:
    relay.rule("trunk", capacity={"after": 3600}, train_seconds=1)
    command.json("submit", "-", text=json.dumps(spec("trunk", 3600, 3600)))
    command.json("submit", "-", text=json.dumps(spec("twig-of-trunk") | {"after": "trunk"}))
    lines = command.run("ls", "--tree", "--name", "trunk").splitlines()
    trunk, twig = (next(line for line in lines if name in line) for name in ("trunk ", "twig-of-trunk"))
    assert lines.index(trunk) < lines.index(twig)
    assert trunk.index("trunk") < twig.index("twig-of-trunk")
    command.run("stop", "trunk")
    assert relay.ends("twig-of-trunk")["status"] == "Failed"


def test_the_proxy_prints_the_variables_with_which_a_client_sees_the_runs_as_jobs(
    relay: Relay, command: Command
) -> None:
    with command.begin("proxy", "--json") as proxy:
        assert proxy.stdout is not None
        variables = json.loads("".join(iter(proxy.stdout.readline, "}\n")) + "}")
        client = make_client("sagemaker", variables["AWS_ENDPOINT_URL_SAGEMAKER"])
        job = spec("through-the-proxy")["training_job"] | {"TrainingJobName": "through-the-proxy"}
        arn = client.create_training_job(**job)["TrainingJobArn"]
        assert client.describe_training_job(TrainingJobName="through-the-proxy")["TrainingJobArn"] == arn
        proxy.send_signal(signal.SIGTERM)
        proxy.communicate(timeout=give_time(30))
    assert proxy.returncode == 0
    assert command.json("show", "through-the-proxy")["run_id"] == "through-the-proxy"
    assert "through-the-proxy" not in relay.jobs("through-the-proxy")


@pytest.mark.usefixtures("finished")
def test_savings_add_up_by_run_instance_type_and_month(command: Command) -> None:
    by_run = command.json("savings")
    (own,) = (row for row in by_run["rows"] if row["key"] == RUN)
    assert own["saved_usd"] == round(own["on_demand_cost_usd"] - own["cost_usd"], 6)
    for by in ("instance-type", "month"):
        assert command.json("savings", "--by", by)["total"]["runs"] == by_run["total"]["runs"]
    rows = list(csv.DictReader(io.StringIO(command.run("savings", "--csv"))))
    assert RUN in [row["key"] for row in rows]
    assert "total" in command.run("savings", "--by", "month")


@pytest.mark.usefixtures("finished")
def test_the_same_spec_again_says_that_its_run_has_ended(relay: Relay, command: Command) -> None:
    relay.rule("once", train_seconds=0.2)
    made = json.dumps(spec("once"))
    assert "once is Completed" in command.run("submit", "-", "--wait", text=made)
    assert "Nothing was launched" in command.call("submit", "-", text=made).stderr
    assert relay.jobs("once") == ["once-relay-01"]


def test_a_run_is_stopped_and_resumed_and_the_exit_code_is_that_of_the_run(relay: Relay, command: Command) -> None:
    relay.rule("paused", capacity={"after": 0}, train_seconds=3600)
    command.run("submit", "-", text=json.dumps(spec("paused")))
    relay.comes_to("paused", "InProgress")
    assert "paused is Stopped" in command.run("stop", "paused", "--wait")
    assert command.run("watch", "paused", code=4) == ""
    relay.rule("paused", train_seconds=0.2)
    assert command.json("resume", "paused", "--budget", "expired_waits=7")["budgets"]["expired_waits"] == 7
    assert "Completed" in command.run("watch", "paused")
    assert "resume" in command.run("resume", "paused", code=6).lower()


def test_a_run_that_trains_on_spot_is_moved_on_demand_and_completes_there(relay: Relay, command: Command) -> None:
    relay.rule("moved", market="spot", capacity={"after": 0}, train_seconds=3600, checkpoints={"every_seconds": 0.2})
    relay.rule("moved", market="on-demand", train_seconds=0.5)
    command.run("submit", "-", text=json.dumps(spec("moved", 3600, 3600)))
    checkpoints = f"s3://{CHECKPOINTS}/moved/checkpoints/"
    eventually(
        "a checkpoint", lambda: relay.s3.list_objects_v2(Bucket=CHECKPOINTS, Prefix="moved/").get("KeyCount") or None
    )
    assert command.json("deadline", "moved", "P2D", "--expected-runtime", "PT1H")["deadline"]["at"]
    assert "cannot be met" in command.run("deadline", "moved", "PT1M", code=6)
    assert "was removed by request" in command.run("deadline", "moved", "none")
    assert "continue on-demand" in command.run("move", "moved", "--to", "on-demand")
    assert "Completed" in command.run("watch", "moved")
    first, second = command.json("show", "moved")["attempts"]
    assert (first["outcome"], first["placement"]["market"]) == ("Stopped", "spot")
    assert (second["cause"], second["placement"]["market"]) == ("Moved", "on-demand")
    assert f"s3://{CHECKPOINTS}/{second['resumes_from']['key']}".startswith(checkpoints)
    assert relay.most_live_at_once("moved-relay-*") == 1
    assert "Only an open run can be moved" in command.run("move", "moved", "--to", "spot", code=6)


def test_ctrl_c_leaves_the_run_going_and_says_how_to_come_back(relay: Relay, command: Command) -> None:
    relay.rule("endless", capacity={"after": 0}, train_seconds=3600)
    with command.begin("submit", "-", "--wait", text=json.dumps(spec("endless", 3600, 3600))) as waiting:
        assert "Ctrl-C" in waiting.stderr.readline()  # type: ignore[union-attr]
        waiting.send_signal(signal.SIGINT)
        _, errors = waiting.communicate(timeout=give_time(30))
    assert waiting.returncode == 130
    assert "The run endless goes on. To come back: spot-relay watch endless" in errors
    assert relay.comes_to("endless", "InProgress", "Pending")["stop_requested"] is False
    command.run("stop", "endless")


def test_errors_say_what_to_do_next_and_have_codes(command: Command) -> None:
    assert "no run nobody" in command.run("show", "nobody", code=7)
    error = json.loads(command.run("show", "nobody", "--json", code=7))["error"]
    assert (error["code"], error["details"]) == ("NoSuchRun", [])
    problems = command.run("submit", "-", "--set=training_job.RoleArn=x", text=json.dumps(spec("bad")), code=6)
    assert "training_job.RoleArn: " in problems
    assert "holds no spec" in command.run("submit", "-", text="[]", code=1)
    missing = command.run("ls", "--stack", "elsewhere", code=5)
    assert "Name yours with --stack or SPOT_RELAY_STACK" in missing


def test_the_doctor_checks_what_a_spec_needs(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(spec("examined")))
    examined = command.call("doctor", str(file), "--json")
    findings = {finding["check"]: finding["result"] for finding in json.loads(examined.stdout)["findings"]}
    # The emulator has no Service Quotas.
    assert findings.pop("quota") == "unknown", examined.stderr
    assert {findings[check] for check in ("endpoints", "credentials", "stack", "api", "bucket")} == {"ok"}
    assert set(findings) == {"endpoints", "credentials", "stack", "versions", "api", "role", "bucket"}


def test_dead_letters_are_counted_and_sent_back(relay: Relay, command: Command) -> None:
    letter = json.loads((ROOT / "events" / "observe" / "run-due.json").read_text())["Records"][0]["body"]
    sqs, url = relay.stack.client("sqs"), relay.stack.outputs["ObserveDeadLetterQueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=letter)
    counted = command.json("redrive", "--queue", "observe", "--dry-run")
    assert counted == {"queues": [{"queue": "observe", "dead_letters": 1, "moved": None}]}
    assert command.run("redrive", "--queue", "observe") == "observe: 1 dead letters, 1 sent back\n"
    assert relay.count_messages("ObserveDeadLetterQueueUrl") == 0


def test_completion_knows_commands_and_runs(relay: Relay, command: Command) -> None:
    relay.rule("completable", train_seconds=0.2)
    command.run("submit", "-", text=json.dumps(spec("completable")))
    assert "_SPOT_RELAY_COMPLETE" in command.run("completion", "zsh")
    typed = {"_SPOT_RELAY_COMPLETE": "bash_complete", "COMP_WORDS": "spot-relay show compl", "COMP_CWORD": "2"}
    completing = Command({**command.environment, **typed})
    assert "completable" in completing.run()


def test_the_local_stack_has_a_status(command: Command) -> None:
    assert set(json.loads(command.call("local", "status", "--json").stdout)) == {
        "running",
        "aws_url",
        "simulator_url",
        "environment_file",
    }


def test_a_spec_is_planned_without_becoming_a_run(relay: Relay, command: Command) -> None:
    text = json.dumps(spec("planned"))
    answer = json.loads(command.run("plan", "-", "--json", text=text))
    assert answer["problems"] == []
    assert answer["plan"]["run_id"] == "planned"
    assert set(answer["plan"]["outlooks"]) == {"spot_at_once", "spot_never", "spot_lost"}
    assert relay.jobs("planned") == []
    assert command.run("show", "planned", code=7)


def test_a_dry_run_submits_nothing_and_its_exit_code_says_whether_the_spec_would_be_accepted(
    relay: Relay, command: Command
) -> None:
    refused = spec("dry")
    refused["training_job"]["RoleArn"] = "arn:aws:iam::000000000000:role/admin"
    assert command.json("submit", "-", "--dry-run", text=json.dumps(spec("dry")))["problems"] == []
    assert "training_job.RoleArn" in command.call("submit", "-", "--dry-run", text=json.dumps(refused)).output
    assert command.call("submit", "-", "--dry-run", text=json.dumps(refused)).exit_code == 6
    assert relay.jobs("dry") == []


def test_a_spec_that_would_be_refused_is_planned_with_its_problems(command: Command) -> None:
    refused = spec("planned")
    refused["training_job"]["RoleArn"] = "arn:aws:iam::000000000000:role/admin"
    planned = command.call("plan", "-", text=json.dumps(refused))
    assert planned.exit_code == 2, planned.stderr
    assert "problem: training_job.RoleArn" in planned.stdout
