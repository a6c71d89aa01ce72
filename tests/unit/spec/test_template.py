"""Templates: what is read of them, what is refused with which words, and what is filled in."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.rules.arrivals import MAX_TEMPLATE_NAME, folder_of, name_run_of, values_of
from spot_relay.domain.run.template import Arrival, Schedule, Template, Trigger
from spot_relay.spec import InvalidSpecError, parse_submission
from spot_relay.spec.placeholders import fill
from spot_relay.spec.template import fill_template, read_template
from tests.unit.arriving import ALLOWLIST, BUCKET, KEY, template

AT = datetime(2026, 11, 23, 23, 59, tzinfo=UTC)
SCHEDULED: dict[str, Any] = {"trigger": None, "schedule": "rate(1 day)"}


def job(**changes: Any) -> dict[str, Any]:
    """The training job of the template, with changes; None removes a key."""
    changed = copy.deepcopy(template()["training_job"]) | changes
    return {key: value for key, value in changed.items() if value is not None}


def read(document: dict[str, Any]) -> Template:
    return read_template(json.dumps(document).encode(), KEY, ALLOWLIST)


def problems(document: dict[str, Any]) -> dict[str, str]:
    """Return the problems of a template, by their paths."""
    with pytest.raises(InvalidSpecError) as raised:
        read(document)
    return {problem.path: problem.message for problem in raised.value.problems}


def test_a_template_is_read_in_either_format() -> None:
    document = template(settle="PT5M", at_most={"runs": 3})
    expected = Template(
        KEY,
        "churn",
        {"training_job": document["training_job"]},
        Trigger(BUCKET, "incoming/", "_SUCCESS"),
        settle=timedelta(minutes=5),
        at_most=3,
    )
    assert read(document) == expected
    assert read_template(yaml.safe_dump(document).encode(), "templates/churn.yaml", ALLOWLIST).body == expected.body


@pytest.mark.parametrize(
    ("given_as", "schedule"),
    [
        ("rate(12 hours)", Schedule("rate(12 hours)", "UTC")),
        ("cron(0 6 ? * MON-FRI *)", Schedule("cron(0 6 ? * MON-FRI *)", "UTC")),
        (
            {"expression": "cron(0/15 * L * ? 2026)", "timezone": "America/Argentina/Buenos_Aires"},
            Schedule("cron(0/15 * L * ? 2026)", "America/Argentina/Buenos_Aires"),
        ),
    ],
)
def test_a_schedule_is_an_expression_alone_or_with_its_time_zone(given_as: Any, schedule: Schedule) -> None:
    found = read(template(trigger=None, schedule=given_as, training_job=job(HyperParameters={"day": "{date}"})))
    assert (found.schedule, found.trigger) == (schedule, None)


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"name": None}, "name", "This key is required"),
        ({"name": "churn-{date}"}, "name", "a name has no placeholders"),
        ({"name": "c" * (MAX_TEMPLATE_NAME + 1)}, "name", f"at most {MAX_TEMPLATE_NAME}"),
        ({"name": "churn_1"}, "name", "Use only letters, digits and hyphens"),
        ({"name": 7}, "name", "Put it in quotes"),
        ({"trigger": None}, "", "neither trigger nor schedule"),
        ({"schedule": "rate(1 day)"}, "schedule", "but not both"),
        ({"trigger": {"prefix": "a"}}, "trigger.bucket", "This key is required"),
        ({"trigger": {"bucket": "elsewhere"}}, "trigger.bucket", "Use data or more-data, or ask its operator"),
        ({"trigger": {"bucket": BUCKET, "prefxi": "a"}}, "trigger.prefxi", 'Did you mean "prefix"?'),
        ({"trigger": {"bucket": BUCKET, "suffix": "x" * 1025}}, "trigger.suffix", "1024"),
        ({"settle": "soon"}, "settle", "ISO 8601 duration"),
        ({"settle": "PT13H"}, "settle", "at most 43200 seconds"),
        ({"settle": 0}, "settle", "at least 1 second"),
        ({"at_most": {"runs": 0}}, "at_most.runs", "at least 1"),
        ({"at_most": {"runs": 101}}, "at_most.runs", "at most 100"),
        ({"at_most": 3}, "at_most", "Expected a mapping"),
        ({"start_at": "2026-12-01T06:00:00Z"}, "start_at", "Remove the key"),
        ({"on_end": {"task_token": "secret"}}, "on_end", "Remove the key"),
        ({"training_job": None}, "training_job", "This key is required"),
        ({"trainig_job": {}}, "trainig_job", 'Did you mean "training_job"?'),
    ],
)
def test_what_is_wrong_with_a_template_is_said_with_its_place(changes: dict[str, Any], path: str, said: str) -> None:
    assert said in problems(template(**changes))[path]


@pytest.mark.parametrize(
    ("schedule", "path", "said"),
    [
        ("rate(1 fortnight)", "schedule.expression", 'such as "rate(12 hours)"'),
        ("rate(0 days)", "schedule.expression", "EventBridge Scheduler"),
        ("cron(0 6 * * *)", "schedule.expression", "EventBridge Scheduler"),
        ("at(2026-12-01T06:00:00)", "schedule.expression", "EventBridge Scheduler"),
        ({"expression": "rate(1 day)", "timezone": "Europe/Köln"}, "schedule.timezone", "Europe/Berlin"),
        ({"expression": "rate(1 day)", "zone": "UTC"}, "schedule.zone", "Unknown key"),
        ({"timezone": "UTC"}, "schedule.expression", "This key is required"),
        (7, "schedule", "Expected a mapping"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_said_with_its_place(schedule: Any, path: str, said: str) -> None:
    document = template(trigger=None, schedule=schedule, training_job=job(HyperParameters={}))
    assert said in problems(document)[path]


def test_a_schedule_has_nothing_to_wait_for() -> None:
    assert (
        "Remove settle"
        in problems(template(**SCHEDULED, settle="PT5M", training_job=job(HyperParameters={})))["settle"]
    )


@pytest.mark.parametrize(
    ("changes", "text", "said"),
    [
        ({}, "s3://{bukcet}/", "Use one of {bucket}, {prefix}, {name}, {date}, {key}"),
        ({}, "{Key}", "For the text {Key} itself, write {{Key}}."),
        ({"settle": "PT5M"}, "{key}", "With settle, all objects of a folder start one run"),
        (SCHEDULED, "{prefix}", "No object starts the runs of a template with a schedule"),
    ],
)
def test_a_placeholder_that_stands_for_nothing_is_said_with_its_place(
    changes: dict[str, Any], text: str, said: str
) -> None:
    found = problems(template(**changes, training_job=job(HyperParameters={"a": "b", "data": text})))
    assert list(found) == ["training_job.HyperParameters.data"]
    message = found["training_job.HyperParameters.data"]
    for part in said.removeprefix("Use one of ").split(", "):
        assert part in message


def test_all_problems_of_a_template_and_of_its_training_job_are_said_at_once() -> None:
    document = template(name="a_b", trigger={"bucket": "elsewhere"}, training_job=job(RoleArn="x", Foo=1))
    assert set(problems(document)) == {"name", "trigger.bucket", "training_job.RoleArn", "training_job.Foo"} | set(
        problems(template(training_job=job(RoleArn="x", Foo=1)))
    )


def test_runs_that_would_share_a_checkpoint_prefix_are_refused() -> None:
    shared = job(CheckpointConfig={"S3Uri": "s3://models/churn/"})
    message = problems(template(training_job=shared))["training_job.CheckpointConfig.S3Uri"]
    assert "Put {name} into it" in message
    assert read(template(training_job=job(CheckpointConfig=None)))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("OutputDataConfig", {"S3OutputPath": "s3://models/in"}),
        ("OutputDataConfig", {"S3OutputPath": "s3://models/in/out/"}),
        ("OutputDataConfig", {"S3OutputPath": "s3://{bucket}/in/out"}),
        ("CheckpointConfig", {"S3Uri": "s3://models/in/{name}/"}),
        ("CheckpointConfig", {"S3Uri": "s3://models/in/put/{name}/"}),
    ],
)
def test_runs_that_would_write_to_where_they_start_the_next_are_refused(member: str, value: dict[str, str]) -> None:
    allowed = replace(ALLOWLIST, trigger_buckets=("models",))
    document = template(trigger={"bucket": "models", "prefix": "in/"}, training_job=job(**{member: value}))
    with pytest.raises(InvalidSpecError) as raised:
        read_template(json.dumps(document).encode(), KEY, allowed)
    (problem,) = raised.value.problems
    assert problem.path.startswith(f"training_job.{member}.")
    assert "without an end" in problem.message


def test_a_folder_beside_the_data_is_no_place_that_starts_runs() -> None:
    allowed = replace(ALLOWLIST, trigger_buckets=("models",))
    beside = job(
        CheckpointConfig={"S3Uri": "s3://models/into/{name}/"}, OutputDataConfig={"S3OutputPath": "s3://models/out"}
    )
    document = template(trigger={"bucket": "models", "prefix": "in/"}, training_job=beside)
    assert read_template(json.dumps(document).encode(), KEY, allowed)


@given(st.text(), st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_what_is_filled_in_is_text_whatever_it_contains(before: str, key: str, version: str, after: str) -> None:
    """No placeholder in a key is replaced, and nothing else in a text changes."""
    plain = before.replace("{", "(").replace("}", ")"), after.replace("{", "(").replace("}", ")")
    found = read(template())
    arrival = Arrival(BUCKET, key, version, AT)
    values = values_of(arrival, name_run_of(found, arrival))
    assert fill(f"{plain[0]}{{key}}{plain[1]}", values) == f"{plain[0]}{key}{plain[1]}"
    assert fill(["{bucket}", {"{key}": "{prefix}"}, 7, None], values) == [BUCKET, {"{key}": folder_of(key)}, 7, None]


@pytest.mark.parametrize(
    "text", ['{"a": {"b": [1, 2]}}', "{}", "{ key }", "{1}", "a{2,3}", "{0.__class__}", "%s", "${key-}", "{a b}", "}{"]
)
def test_braces_that_hold_no_single_word_stay_as_they_are(text: str) -> None:
    assert fill(text, {"key": "x"}) == text
    assert read(template(training_job=job(Environment={"TEXT": text})))


def test_double_braces_are_the_text_in_single_ones() -> None:
    assert fill("{{key}} {{other}} {{key}", {"key": "x"}) == "{key} {other} {x"


def test_a_run_is_filled_in_with_its_name_and_keeps_what_it_was_made_from() -> None:
    found = read(template(at_most={"runs": 2}, policy={"budgets": {"expired_waits": 3}}))
    arrival = Arrival(BUCKET, "incoming/monday/_SUCCESS", "1", AT)
    submission = fill_template(found, values_of(arrival, name_run_of(found, arrival)), ALLOWLIST)
    assert submission.name == name_run_of(found, arrival)
    assert submission.training_job["CheckpointConfig"] == {"S3Uri": f"s3://models/{submission.name}/checkpoints/"}
    assert submission.training_job["HyperParameters"] == {"data": "s3://data/incoming/monday/", "day": "2026-11-23"}
    assert submission.policy.budgets.expired_waits == 3
    assert (submission.start.template, submission.start.at_most) == (KEY, 2)


@given(
    st.sets(st.tuples(st.sampled_from(["a", "b"]), st.text(min_size=1), st.text(min_size=1)), min_size=2, max_size=9)
)
def test_each_version_of_each_object_has_a_run_of_its_own(versions: set[tuple[str, str, str]]) -> None:
    found = read(template())
    names = {name_run_of(found, Arrival(bucket, key, version, AT)) for bucket, key, version in versions}
    assert len(names) == len(versions)
    assert {name_run_of(found, Arrival(b, k, v, AT + timedelta(days=1))) for b, k, v in versions} == names


@given(st.text(max_size=8), st.text(max_size=4), st.text(max_size=4))
def test_a_trigger_takes_prefix_and_suffix_for_different_parts_of_a_key(key: str, prefix: str, suffix: str) -> None:
    matches = Trigger(BUCKET, prefix, suffix).matches(BUCKET, key)
    middle, length = key[len(prefix) : len(key) - len(suffix)], len(key) - len(prefix) - len(suffix)
    assert matches == (length >= 0 and f"{prefix}{middle}{suffix}" == key and key[-1:] != "/")
    assert not Trigger(BUCKET, prefix, suffix).matches("other", key)


def test_what_stands_for_a_folder_in_the_console_starts_nothing() -> None:
    trigger = Trigger(BUCKET, "incoming/")
    assert not trigger.matches(BUCKET, "incoming/")
    assert not trigger.matches(BUCKET, "incoming/monday/")
    assert trigger.matches(BUCKET, "incoming/monday/a.csv")


def test_a_key_of_a_template_in_a_spec_says_where_templates_belong() -> None:
    with pytest.raises(InvalidSpecError) as raised:
        parse_submission(template(), ALLOWLIST)
    (message,) = [problem.message for problem in raised.value.problems if problem.path == "trigger"]
    assert "under templates/" in message
