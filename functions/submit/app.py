"""Turns specs that were uploaded to S3 into runs."""

from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from spot_relay import bootstrap
from spot_relay.adapters.inbound import read_upload
from spot_relay.ports import PrefixTakenError
from spot_relay.service import NameConflictError, UnacceptableError
from spot_relay.settings import RunSettings, SubmissionSettings
from spot_relay.spec import MAX_BYTES, Allowlist, Format, InvalidSpecError, read_submission

logger = Logger()
service = bootstrap.service(RunSettings.from_env())
files = bootstrap.spec_files()
allowlist = Allowlist(**asdict(SubmissionSettings.from_env()))
processor = bootstrap.batches(logger)


def submit(record: SQSRecord) -> None:
    """Accept an uploaded spec, or report beside it everything that is wrong with it."""
    upload = read_upload(record.body)
    data = files.read(upload, MAX_BYTES) if upload.is_spec else None
    if data is None:
        logger.warning("there is no spec to read", key=upload.key)
        return
    try:
        run = service.submit(read_submission(data, Format.of(upload.key), allowlist))
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
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Submit a batch of uploads."""
    return process_partial_response(event, record_handler=submit, processor=processor, context=context)
