"""Read a template: a spec with placeholders, and with what starts its runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from spot_relay.domain.rules.arrivals import (
    MAX_TEMPLATE_NAME,
    name_run,
    name_run_of,
    values_of,
    values_of_burst,
    values_of_schedule,
)
from spot_relay.domain.run.template import Arrival, Burst, Schedule, Template, Trigger
from spot_relay.domain.sagemaker.job import attempt_name
from spot_relay.domain.sagemaker.request import checkpoint_uri_of, output_path_of
from spot_relay.domain.values import replace
from spot_relay.request.problem import InvalidSpecError, Problems, describe, format_key
from spot_relay.spec.document import Format, read_document
from spot_relay.spec.on_end import ON_END
from spot_relay.spec.placeholders import check_placeholders, fill
from spot_relay.spec.run_name import check_name
from spot_relay.spec.strict_model import Strict, make_error, validate
from spot_relay.spec.submission import parse_submission
from spot_relay.spec.times import validate_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.domain.run.submission import Submission
    from spot_relay.spec.job_rules import Allowlist

TEMPLATE_KEYS = ("trigger", "schedule", "settle", "at_most")
MAX_KEY_CHARACTERS = 1024
MAX_SETTLE_SECONDS = 12 * 3600
MAX_AT_MOST = 100
# Filled in to see whether the specs of runs would be valid.
_EXAMPLE_TIME = datetime(2026, 12, 1, 6, tzinfo=UTC)
_WITH_SETTLE = {
    "key": "With settle, all objects of a folder start one run, so there is no one key. Use {prefix}, or remove settle."
}
_WITHOUT_OBJECT = dict.fromkeys(
    ("bucket", "key", "prefix"), "No object starts the runs of a template with a schedule. Remove the placeholder."
)
# Of EventBridge Scheduler, which checks the rest when it is given the schedule.
_EXPRESSION = re.compile(
    r"rate\([1-9][0-9]{0,5} (minute|hour|day)s?\)|cron\(([0-9A-Za-z*?,/#-]+ ){5}[0-9A-Za-z*?,/#-]+\)", re.ASCII
)
_MAX_EXPRESSION_CHARACTERS = 256
_TIMEZONE = re.compile(r"[A-Za-z0-9_+/-]{1,50}", re.ASCII)
_NOT_IN_TEMPLATES = {
    "start_at": "The runs of a template start when something triggers them, and not at one time. Remove the key.",
    ON_END: "No task of Step Functions waits for the runs of a template. Remove the key.",
}


class TriggerModel(Strict):
    """Which objects start runs."""

    bucket: Annotated[str, Field(min_length=1)]
    prefix: Annotated[str, Field(max_length=MAX_KEY_CHARACTERS)] = ""
    suffix: Annotated[str, Field(max_length=MAX_KEY_CHARACTERS)] = ""


class ScheduleModel(Strict):
    """When runs start."""

    expression: Annotated[str, Field(max_length=_MAX_EXPRESSION_CHARACTERS)]
    timezone: str = Schedule.timezone

    @field_validator("expression")
    @classmethod
    def _check_expression(cls, value: str) -> str:
        if not _EXPRESSION.fullmatch(value):
            raise make_error(
                f'Found {describe(value)}. Write it as EventBridge Scheduler does, such as "rate(12 hours)" or '
                '"cron(0 6 * * ? *)".'
            )
        return value

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str) -> str:
        if not _TIMEZONE.fullmatch(value):
            raise make_error(f'Found {describe(value)}. Use the name of a time zone, such as "Europe/Berlin".')
        return value


class AtMostModel(Strict):
    """How many runs of the template may be under way at once."""

    runs: Annotated[int, Field(ge=1, le=MAX_AT_MOST)]


def _read_schedule(value: Any) -> Any:
    """Return the long form of ``schedule``, which may be an expression alone."""
    return {"expression": value} if isinstance(value, str) else value


class TemplateModel(Strict):
    """The keys that a template has beside those of a spec."""

    trigger: TriggerModel | None = None
    schedule: Annotated[ScheduleModel | None, BeforeValidator(_read_schedule, ScheduleModel | str)] = None
    settle: Annotated[int | None, validate_duration(1, MAX_SETTLE_SECONDS)] = None
    at_most: AtMostModel | None = None


_KNOWN = {
    (): TEMPLATE_KEYS,
    ("trigger",): tuple(TriggerModel.model_fields),
    ("schedule",): tuple(ScheduleModel.model_fields),
    ("at_most",): tuple(AtMostModel.model_fields),
}


def read_template(data: bytes, key: str, allowlist: Allowlist) -> Template:
    """Read and validate a template, with examples filled in.

    Raises
    ------
    InvalidSpecError
        With all problems, or the first 100.
    """
    document = read_document(data, Format.of(key))
    problems = Problems()
    own = {name: document[name] for name in TEMPLATE_KEYS if name in document}
    model = validate(TemplateModel, own, "", _KNOWN, problems)
    body = {name: value for name, value in document.items() if name not in {"name", *TEMPLATE_KEYS}}
    for name in _NOT_IN_TEMPLATES.keys() & body.keys():
        problems.add(name, _NOT_IN_TEMPLATES[name])
        del body[name]
    _check_name(document, problems)
    if model is not None:
        _check_occasion(model, allowlist, problems)
    if model is None:
        problems.raise_if_any()
    name = "example" if any(problem.path == "name" for problem in problems.collected) else str(document["name"])
    template = _build(model or TemplateModel(), key, name, body)
    if template.trigger is None and template.schedule is None:
        # So that the rest is checked as well: most templates have a trigger.
        template = replace(template, trigger=Trigger("example"))
    _check_body(template, allowlist, problems)
    return template


def _build(model: TemplateModel, key: str, name: str, body: dict[str, Any]) -> Template:
    trigger, schedule = model.trigger, model.schedule
    return Template(
        key,
        name,
        body,
        trigger=None if trigger is None else Trigger(trigger.bucket, trigger.prefix, trigger.suffix),
        schedule=None if schedule is None else Schedule(schedule.expression, schedule.timezone),
        settle=None if model.settle is None else timedelta(seconds=model.settle),
        at_most=None if model.at_most is None else model.at_most.runs,
    )


def fill_template(template: Template, values: Mapping[str, str], allowlist: Allowlist) -> Submission:
    """Return the submission of a run of a template; ``values`` are what placeholders stand for.

    Raises
    ------
    InvalidSpecError
        With all problems of the spec that this makes, or the first 100.
    """
    submission = parse_submission({**fill(template.body, values), "name": values["name"]}, allowlist)
    start = replace(submission.start, template=template.key, at_most=template.at_most)
    return replace(submission, start=start)


def _check_name(document: Mapping[str, Any], problems: Problems) -> None:
    name = document.get("name")
    if "name" not in document:
        problems.add("name", "This key is required: the names of the template's runs begin with it. Add it.")
    elif isinstance(name, str) and "{" in name:
        problems.add(
            "name",
            f"Found {describe(name)}, but a name has no placeholders: the names of the template's runs are this name "
            "and a digest of what started them. Remove what is in braces.",
        )
    elif isinstance(name, str) and len(name) > MAX_TEMPLATE_NAME:
        problems.add(
            "name",
            f"The name has {len(name)} characters, but the name of a template has at most {MAX_TEMPLATE_NAME}, because "
            "those of its runs are longer. Shorten it.",
        )
    else:
        check_name(name, "name", problems)


def _check_occasion(model: TemplateModel, allowlist: Allowlist, problems: Problems) -> None:
    """Report what is wrong with what starts the runs of a template."""
    if model.trigger is None and model.schedule is None:
        problems.add("", "The template has neither trigger nor schedule, so it would never start a run. Add one.")
    if model.trigger is not None and model.schedule is not None:
        problems.add("schedule", "A template has a trigger or a schedule, but not both. Use two templates.")
    if model.trigger is None and model.settle is not None:
        problems.add("settle", "Only a trigger has objects to wait for. Remove settle.")
    if model.trigger is not None and model.trigger.bucket not in allowlist.trigger_buckets:
        allowed = allowlist.trigger_buckets
        advice = f"Use {' or '.join(allowed)}, or ask" if allowed else "Ask"
        problems.add(
            "trigger.bucket",
            f"Found {describe(model.trigger.bucket)}, from which this stack receives no events. {advice} its operator "
            "to add the bucket to the parameter TriggerBuckets.",
        )


def _check_body(template: Template, allowlist: Allowlist, problems: Problems) -> None:
    """Report every problem with the spec of a template, and with what its runs would do to each other."""
    values = _make_example(template, "example")
    elsewhere = _WITHOUT_OBJECT if template.trigger is None else _WITH_SETTLE
    unknown = Problems()
    for name, value in template.body.items():
        check_placeholders(value, format_key(name), tuple(values), elsewhere, unknown)
    if unknown.collected:
        # What they leave in the texts would be wrong in other ways as well.
        problems.add_all(unknown.collected)
        problems.raise_if_any()
    submission = _try_to_fill(template, values, allowlist, problems)
    if template.trigger is not None:
        _check_outputs(template, template.trigger, submission, problems)
    uri, another = checkpoint_uri_of(submission.training_job), _make_example(template, "another")
    if uri is not None and uri == checkpoint_uri_of(fill_template(template, another, allowlist).training_job):
        problems.add(
            _place(template, "CheckpointConfig.S3Uri"),
            f"Every run of the template would have the checkpoint prefix {uri}, and two that are open at once can't "
            'share one. Put {name} into it, such as "s3://bucket/checkpoints/{name}/".',
        )
    problems.raise_if_any()


def _try_to_fill(template: Template, values: Mapping[str, str], allowlist: Allowlist, problems: Problems) -> Submission:
    """Return the submission of a run; raise InvalidSpecError with its problems, and those that are known already."""
    try:
        return fill_template(template, values, allowlist)
    except InvalidSpecError as error:
        problems.add_all(error.problems)
        problems.raise_if_any()
        raise


def _make_example(template: Template, version: str) -> dict[str, str]:
    """Return what placeholders may stand for in the spec of a run."""
    trigger = template.trigger
    if trigger is None:
        return values_of_schedule(_EXAMPLE_TIME, name_run(template, version))
    arrival = Arrival(trigger.bucket, f"{trigger.prefix}example/data{trigger.suffix}", version, _EXAMPLE_TIME)
    run_id = name_run_of(template, arrival)
    if template.settle is not None:
        return values_of_burst(arrival, Burst(run_id, arrival.at))
    return values_of(arrival, run_id)


def _check_outputs(template: Template, trigger: Trigger, submission: Submission, problems: Problems) -> None:
    """Report what a run would write to where it would start the next one."""
    watched = f"s3://{trigger.bucket}/{trigger.prefix}"
    job, uri = submission.training_job, checkpoint_uri_of(submission.training_job)
    model = f"{output_path_of(job).rstrip('/')}/{attempt_name(submission.name, 1)}/"
    written = {"OutputDataConfig.S3OutputPath": model} | ({} if uri is None else {"CheckpointConfig.S3Uri": uri})
    for member, path in written.items():
        if path.startswith(watched) or watched.startswith(path):
            problems.add(
                _place(template, member),
                f"Runs would write to {path}, and what is written under {watched} may start the next run, without an "
                "end. Use a different place, or a longer trigger.prefix.",
            )


def _place(template: Template, member: str) -> str:
    return f"training_job.{member}" if "training_job" in template.body else "estimator"
