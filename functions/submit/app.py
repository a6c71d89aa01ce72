"""Turns specs that were uploaded to S3 into runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from spot_relay import bootstrap
from spot_relay.adapters.inbound import handle_messages, read_upload
from spot_relay.ports import PrefixTakenError
from spot_relay.service import NameConflictError, UnacceptableError
from spot_relay.settings import RunSettings, SubmissionSettings
from spot_relay.spec import MAX_BYTES, Format, InvalidSpecError, Rules, read_submission

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
service = bootstrap.service(RunSettings.from_env())
files = bootstrap.spec_files()
rules = Rules(**asdict(SubmissionSettings.from_env()))


def submit(body: str) -> None:
    """Accept an uploaded spec, or report beside it everything that is wrong with it."""
    upload = read_upload(body)
    data = files.read(upload, MAX_BYTES) if upload.is_spec else None
    if data is None:
        logger.warning("there is no spec to read", key=upload.key)
        return
    try:
        run = service.submit(read_submission(data, Format.of(upload.key), rules))
    except (InvalidSpecError, UnacceptableError) as error:
        logger.warning("the spec is refused", key=upload.key, problems=len(error.details))
        files.report(upload, error.details, service.clock())
    except NameConflictError as error:
        logger.warning("the spec's name is taken", key=upload.key, run_id=error.run_id)
        files.report(upload, [{"path": "name", "message": str(error)}], service.clock())
    except PrefixTakenError as error:
        logger.warning("the spec's checkpoint prefix is taken", key=upload.key, run_id=error.owner)
        files.report(upload, [{"path": "CheckpointConfig.S3Uri", "message": str(error)}], service.clock())
    else:
        logger.info("the spec is accepted", key=upload.key, run_id=run.id, job_name=run.current.job_name)
        files.clear(upload)


@logger.inject_lambda_context(log_event=False)  # whatever the environment says: events hold secrets
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Submit a batch of uploads."""
    return handle_messages(event, submit, logger)
