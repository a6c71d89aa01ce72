"""Settings come from the environment, and an error names the variable that is missing or invalid."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from datetime import timedelta
from typing import Any

import pytest

from spot_relay.domain.rules.limits import Limits
from spot_relay.domain.rules.turns import LaunchRate
from spot_relay.settings import (
    PriceSettings,
    RunSettings,
    ScheduleSettings,
    SettingsError,
    SubmissionSettings,
    TickSettings,
    WidgetSettings,
)

RUN = {
    "TABLE_NAME": "runs",
    "SPECS_BUCKET": "specs",
    "CHECK_INTERVAL_SECONDS": "300",
    "LAUNCH_RATE": "1000",
    "RETENTION_DAYS": "90",
    "OBSERVE_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/111122223333/observe",
}
SUBMISSION = {
    "ALLOWED_ROLE_ARNS": "arn:aws:iam::111122223333:role/a,arn:aws:iam::111122223333:role/b",
    "ALLOWED_IMAGES": "*.dkr.ecr.*.amazonaws.com/*",
    "ALLOWED_CHECKPOINT_BUCKETS": "sagemaker-*, models ,",
}
TICK = {"TABLE_NAME": "runs", "OBSERVE_QUEUE_URL": RUN["OBSERVE_QUEUE_URL"]}
PRICES = {"TABLE_NAME": "runs"}
SCHEDULES = {
    "SCHEDULE_GROUP": "templates",
    "SCHEDULE_ROLE_ARN": "arn:aws:iam::111122223333:role/schedules",
    "SUBMIT_QUEUE_ARN": "arn:aws:sqs:us-east-1:111122223333:submit",
}
EACH: list[tuple[Any, dict[str, str]]] = [
    (RunSettings, RUN),
    (SubmissionSettings, SUBMISSION),
    (TickSettings, TICK),
    (PriceSettings, PRICES),
    (ScheduleSettings, SCHEDULES),
]


def test_the_settings_of_runs_are_read() -> None:
    settings = RunSettings.from_env(RUN | {"ATTEMPT_LIMITS": "ml.p3.2xlarge=4, *=20"})
    assert settings == RunSettings(
        table="runs",
        bucket="specs",
        check_every=timedelta(minutes=5),
        retention=timedelta(days=90),
        observe_queue_url=RUN["OBSERVE_QUEUE_URL"],
        limits=Limits({"ml.p3.2xlarge": 4, "*": 20}),
        launch_rate=LaunchRate(1000),
    )


@pytest.mark.parametrize(("value", "read"), [("", False), ("false", False), (" true ", True)])
def test_metrics_are_published_by_placement_only_if_the_environment_says_so(value: str, read: bool) -> None:
    assert not RunSettings.from_env(RUN).metrics_by_placement
    assert RunSettings.from_env(RUN | {"METRICS_BY_PLACEMENT": value}).metrics_by_placement is read


@pytest.mark.parametrize(("value", "read"), [("", False), ("false", False), ("true", True)])
def test_models_are_hosted_only_if_the_environment_says_so(value: str, read: bool) -> None:
    assert not SubmissionSettings.from_env(SUBMISSION).allow_hosting
    assert SubmissionSettings.from_env(SUBMISSION | {"ALLOW_HOSTING": value}).allow_hosting is read


@pytest.mark.parametrize(("value", "read"), [("", False), ("false", False), ("true", True)])
def test_checkpoints_are_copied_only_if_the_environment_says_so(value: str, read: bool) -> None:
    assert not SubmissionSettings.from_env(SUBMISSION).allow_checkpoint_copies
    given = SUBMISSION | {"ALLOW_CHECKPOINT_COPIES": value}
    assert SubmissionSettings.from_env(given).allow_checkpoint_copies is read


@pytest.mark.parametrize(
    ("env", "read"), [({}, False), ({"WIDGET_ACTIONS": "false"}, False), ({"WIDGET_ACTIONS": "true"}, True)]
)
def test_runs_have_buttons_in_the_widget_only_if_the_environment_says_so(env: dict[str, str], read: bool) -> None:
    assert WidgetSettings.from_env(env).acts is read


def test_a_switch_that_is_neither_on_nor_off_is_an_error() -> None:
    with pytest.raises(SettingsError, match="METRICS_BY_PLACEMENT is 'yes', but it must be true or false"):
        RunSettings.from_env(RUN | {"METRICS_BY_PLACEMENT": "yes"})


@pytest.mark.parametrize("text", ["1", "0.5", "0.01", "1000", "12.125"])
def test_a_launch_rate_may_be_a_fraction(text: str) -> None:
    assert RunSettings.from_env(RUN | {"LAUNCH_RATE": text}).launch_rate == LaunchRate(float(text))


@pytest.mark.parametrize("text", ["0", "-1", "0.009", "1001", "nan", "inf", "1e2", "fast", "1,5", "٣"])
def test_an_invalid_launch_rate_is_named_with_its_bounds(text: str) -> None:
    with pytest.raises(SettingsError, match=r"LAUNCH_RATE is .*, but it must be a number from 0\.01 to 1000"):
        RunSettings.from_env(RUN | {"LAUNCH_RATE": text})


@pytest.mark.parametrize("env", [{}, {"ATTEMPT_LIMITS": ""}, {"ATTEMPT_LIMITS": "  "}])
def test_there_are_no_limits_unless_the_environment_sets_them(env: dict[str, str]) -> None:
    assert RunSettings.from_env(RUN | env).limits == Limits()


def test_an_error_in_the_limits_names_the_variable_and_quotes_the_invalid_part() -> None:
    with pytest.raises(SettingsError, match=r"ATTEMPT_LIMITS is invalid: 'ml\.p3\.2xlarge' is not a limit"):
        RunSettings.from_env(RUN | {"ATTEMPT_LIMITS": "*=20,ml.p3.2xlarge"})


def test_lists_may_contain_spaces_and_extra_commas() -> None:
    assert SubmissionSettings.from_env(SUBMISSION) == SubmissionSettings(
        ("arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b"),
        ("*.dkr.ecr.*.amazonaws.com/*",),
        ("sagemaker-*", "models"),
    )


def test_the_settings_of_schedules_are_read() -> None:
    assert ScheduleSettings.from_env(SCHEDULES) == ScheduleSettings(*SCHEDULES.values())


def test_the_bucket_for_specs_is_none_whose_objects_start_runs() -> None:
    assert SubmissionSettings.from_env(SUBMISSION).trigger_buckets == ()
    given = SUBMISSION | {"SPECS_BUCKET": "specs", "TRIGGER_BUCKETS": "data, specs ,more-data"}
    assert SubmissionSettings.from_env(given).trigger_buckets == ("data", "more-data")


def test_the_settings_of_the_tick_are_read() -> None:
    assert TickSettings.from_env(TICK) == TickSettings("runs", TICK["OBSERVE_QUEUE_URL"])


def test_the_settings_of_the_prices_are_read() -> None:
    settings = PriceSettings.from_env(PRICES | {"PRICE_FILE": " s3://prices/list.json "})
    assert settings == PriceSettings("runs", "s3://prices/list.json")


@pytest.mark.parametrize("env", [{}, {"PRICE_FILE": ""}, {"PRICE_FILE": "  "}])
def test_the_price_file_is_optional(env: dict[str, str]) -> None:
    assert PriceSettings.from_env(PRICES | env) == PriceSettings("runs", None)


@pytest.mark.parametrize("uri", ["prices.json", "s3://prices", "s3://prices/", "https://prices/list.json", "S3://a/b"])
def test_a_price_file_that_is_not_an_object_in_s3_is_refused(uri: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"PRICE_FILE is {uri!r}, but it must be s3://bucket/key")):
        PriceSettings.from_env(PRICES | {"PRICE_FILE": uri})


@pytest.mark.parametrize(
    ("kind", "env", "name"),
    [(kind, env, name) for kind, env in EACH for name in env],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.parametrize("value", [None, "", "  "], ids=["absent", "empty", "blank"])
def test_an_error_names_the_missing_variable(kind: Any, env: dict[str, str], name: str, value: str | None) -> None:
    lacking = {key: item for key, item in (env | {name: value}).items() if item is not None}
    with pytest.raises(SettingsError, match=f"{name} is not set"):
        kind.from_env(lacking)


@pytest.mark.parametrize("name", ["CHECK_INTERVAL_SECONDS", "RETENTION_DAYS"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "1e3", "ten", "0x10", "5m", "²"])
def test_an_error_shows_an_invalid_number(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"{name} is {value!r}")):
        RunSettings.from_env(RUN | {name: value})


def test_the_environment_is_read_at_the_time_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TICK.items():
        monkeypatch.setenv(name, value)
    assert TickSettings.from_env().table == "runs"
    monkeypatch.setenv("TABLE_NAME", "other-runs")
    assert TickSettings.from_env().table == "other-runs"
    monkeypatch.delenv("TABLE_NAME")
    with pytest.raises(SettingsError, match="TABLE_NAME"):
        TickSettings.from_env()


def test_other_variables_are_ignored() -> None:
    assert TickSettings.from_env(TICK | RUN | SUBMISSION) == TickSettings.from_env(TICK)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        RunSettings.from_env(RUN).table = "another"  # type: ignore[misc]
