"""Turns specs that were uploaded to S3 into runs, and starts the runs of templates: for data, or by schedule."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from spot_relay import bootstrap
from spot_relay.adapters.inbound import Upload, handle_messages, read_delivery
from spot_relay.domain.errors import SpecError
from spot_relay.domain.shown.report import notice_of_end
from spot_relay.settings import RunSettings, ScheduleSettings, SubmissionSettings
from spot_relay.spec import MAX_BYTES, Allowlist, Format, read_submission

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from spot_relay.triggers import Triggers

logger = Logger()
settings = RunSettings.from_env()
service = bootstrap.create_service(settings)
files = bootstrap.create_spec_files()
allowlist = Allowlist(**asdict(SubmissionSettings.from_env()))


@cache
def triggers() -> Triggers:
    """Return the use cases around templates, which specs do without."""
    return bootstrap.create_triggers(service, settings, ScheduleSettings.from_env(), allowlist)


def take(body: str) -> None:
    """Submit a spec, check a template, or start what an object or a schedule starts, whichever a message is about."""
    delivered = read_delivery(body, settings.bucket)
    if not isinstance(delivered, Upload):
        runs = triggers().start(delivered)
        logger.info("a template may have started runs", key=delivered.key, runs=[run.id for run in runs])
    elif delivered.is_template:
        template = triggers().check(delivered.key)
        logger.info("a template was checked", key=delivered.key, is_valid=template is not None)
    else:
        submit(delivered)


def submit(upload: Upload) -> None:
    """Turn an uploaded spec into a run, or write an error report that lists all of its problems."""
    data = files.read(upload, MAX_BYTES) if upload.is_spec else None
    if data is None:
        logger.warning("there is no spec to read", key=upload.key)
        return
    submitted_at = service.clock()
    try:
        run = service.submit(read_submission(data, Format.of(upload.key), allowlist))
    except SpecError as error:
        logger.warning("the spec is refused", key=upload.key, code=error.code, problems=len(error.details))
        files.report(upload, error.details, service.clock())
    else:
        if notice := notice_of_end(run, submitted_at):
            logger.warning(notice, key=upload.key, run_id=run.id, status=run.status)
        else:
            logger.info("the spec is accepted", key=upload.key, run_id=run.id, job_name=run.current.job_name)
        files.clear(upload)


@logger.inject_lambda_context(log_event=False)  # not even if POWERTOOLS_LOGGER_LOG_EVENT is set: events hold secrets
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Take a batch of messages about uploads and arrivals."""
    return handle_messages(event, take, logger)
