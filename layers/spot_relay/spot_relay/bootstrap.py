"""Wire the use cases from settings. Nothing else in the package knows which adapter stands behind a port."""

from __future__ import annotations

import random
import time
import uuid
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.config import Config
from botocore.exceptions import ConnectionError as UnreachableError
from botocore.session import get_session
from botocore.utils import parse_timestamp

from spot_relay.adapters.announcements import EventBridgeAnnouncements
from spot_relay.adapters.due_queue import DelayedCopies, DueQueue, SqsWakeups
from spot_relay.adapters.prices import AwsPriceList, DynamoDBPrices
from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.adapters.s3 import (
    CallTime,
    S3Checkpoints,
    S3InputFiles,
    S3PriceFile,
    S3StatusDocuments,
    S3TemplateFiles,
    SpecFiles,
)
from spot_relay.adapters.slots import DynamoDBSlots
from spot_relay.adapters.telemetry import PowertoolsTelemetry
from spot_relay.adapters.training_jobs import SageMakerTrainingJobs
from spot_relay.adapters.turns import DynamoDBTurns
from spot_relay.adapters.waiting_tasks import StepFunctionsTasks
from spot_relay.pacing import Pacing
from spot_relay.service import Service

if TYPE_CHECKING:
    from botocore.session import Session

    from spot_relay.planning import Planner
    from spot_relay.settings import PriceSettings, RunSettings, ScheduleSettings, TickSettings
    from spot_relay.spec import Allowlist
    from spot_relay.triggers import Triggers

# The API's function has 29 s, the others 60: a call that hangs and is retried must leave time to report that.
_CONFIG = Config(connect_timeout=3, read_timeout=6, retries={"mode": "standard", "total_max_attempts": 2})
# SageMaker's own retries are those of runs: a client that repeats a throttled call at once is throttled again.
_ONCE = _CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
# Nobody waits for prices, and a page of them is large.
_PATIENT = Config(connect_timeout=3, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 3})
_PRICE_LIST_REGION = "us-east-1"


@cache
def create_client(name: str) -> Any:
    """Return the client of an AWS service, which is created once."""
    if name != "sagemaker":
        return _session().create_client(name, config=_CONFIG)
    client: Any = _session().create_client(name, config=_ONCE)
    client.meta.events.register("needs-retry.sagemaker", _retry_unreachable)
    return client


def _retry_unreachable(attempts: int, caught_exception: Exception | None, **_: Any) -> int | None:
    """Return 0, which repeats a call at once, if its connection failed: the function may have been frozen meanwhile."""
    return 0 if attempts == 1 and isinstance(caught_exception, UnreachableError) else None


@cache
def _session() -> Session:
    """Return botocore's session. boto3 on top of it would make a cold start a tenth slower and add nothing we use."""
    session = get_session()
    parsers: Any = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=_parse_moment)
    return session


def _parse_moment(value: Any) -> datetime:
    """Return a moment in an answer of AWS as botocore would, but ISO 8601 forty times as fast.

    botocore guesses the format of each text, which takes three quarters of the time to list a large prefix.
    """
    if isinstance(value, str) and value.endswith("Z"):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    moment: datetime = parse_timestamp(value)
    return moment


class _LazyClient:
    """A client that is created when it is first used: most events need DynamoDB alone."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(create_client(self._name), attribute)


class _LazyHosting:
    """What registers and deploys models, imported when it is first used: few runs do anything with their models."""

    def __getattr__(self, method: str) -> Any:
        from spot_relay.adapters.hosting import SageMakerHosting

        return getattr(SageMakerHosting(_defer_client("sagemaker")), method)


class _LazyCopies:
    """What copies checkpoints, imported when it is first used: few runs begin with the checkpoints of others."""

    def __init__(self, checkpoints: S3Checkpoints) -> None:
        self._checkpoints = checkpoints

    def __getattr__(self, method: str) -> Any:
        from spot_relay.adapters.checkpoint_copies import S3CheckpointCopies

        return getattr(S3CheckpointCopies(self._checkpoints.client, self._checkpoints), method)


def _defer_client(name: str) -> Any:
    """Return a stand-in for the client of an AWS service."""
    return _LazyClient(name)


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def create_service(settings: RunSettings, listing_seconds: int = 40, *, observes: bool = False) -> Service:
    """Wire the use cases around runs, which list checkpoints for so many seconds of a call, and no longer.

    ``observes`` says whether the function registers and deploys models and copies checkpoints. The others leave that
    to it.
    """
    dynamodb, s3 = create_client("dynamodb"), _defer_client("s3")
    checkpoints = S3Checkpoints(s3, CallTime(listing_seconds))
    hosting: Any = _LazyHosting() if observes else None
    copies: Any = _LazyCopies(checkpoints) if observes else None
    store = DynamoDBRunStore(dynamodb, settings.table, settings.retention)
    turns = DynamoDBTurns(dynamodb, settings.table, settings.launch_rate)
    wakeups = SqsWakeups(_defer_client("sqs"), settings.observe_queue_url)
    return Service(
        store=store,
        jobs=SageMakerTrainingJobs(_defer_client("sagemaker")),
        checkpoints=checkpoints,
        documents=S3StatusDocuments(s3, settings.bucket),
        announcements=EventBridgeAnnouncements(_defer_client("events")),
        waiting_tasks=StepFunctionsTasks(_defer_client("stepfunctions")),
        telemetry=PowertoolsTelemetry(Logger(), settings.metrics_by_placement),
        prices=create_price_list(settings.table),
        input_files=S3InputFiles(s3),
        slots=DynamoDBSlots(dynamodb, settings.table, settings.limits, store.load),
        wakeups=wakeups,
        pacing=Pacing(turns, wakeups, utc_now, time.sleep),
        clock=utc_now,
        draw=random.random,
        new_id=lambda: uuid.uuid4().hex,
        region=dynamodb.meta.region_name,
        bucket=settings.bucket,
        notify=settings.notices,
        check_every=settings.check_every,
        canary_image=settings.canary_image,
        hosting=hosting,
        copies=copies,
    )


def create_planner(service: Service, settings: RunSettings) -> Planner:
    """Wire the dry run of submissions around a service's own ports."""
    # Imported here to keep cold starts short: few requests are dry runs.
    from spot_relay.adapters.vacancies import DynamoDBVacancies
    from spot_relay.planning import Planner

    dynamodb = create_client("dynamodb")
    return Planner(
        store=service.store,
        vacancies=DynamoDBVacancies(dynamodb, settings.table),
        prices=service.prices,
        input_files=service.input_files,
        limits=settings.limits,
        clock=service.clock,
        region=dynamodb.meta.region_name,
    )


def create_triggers(
    service: Service, settings: RunSettings, schedules: ScheduleSettings, allowlist: Allowlist
) -> Triggers:
    """Wire the use cases around templates."""
    # Imported here to keep cold starts short: specs need none of it.
    from spot_relay.adapters.bursts import DynamoDBBursts
    from spot_relay.adapters.schedules import EventBridgeSchedules
    from spot_relay.spec import MAX_BYTES
    from spot_relay.spec.template import fill_template, read_template
    from spot_relay.triggers import Triggers

    return Triggers(
        service=service,
        files=S3TemplateFiles(create_client("s3"), settings.bucket, MAX_BYTES),
        bursts=DynamoDBBursts(create_client("dynamodb"), settings.table, settings.retention),
        schedules=EventBridgeSchedules(
            _defer_client("scheduler"), schedules.group, schedules.role_arn, schedules.queue_arn
        ),
        read=lambda data, key: read_template(data, key, allowlist),
        fill=lambda template, values: fill_template(template, values, allowlist),
        retention=settings.retention,
    )


def create_spec_files() -> SpecFiles:
    """Wire the reading of uploaded specs."""
    return SpecFiles(create_client("s3"))


def create_due_runs(settings: TickSettings) -> DynamoDBRunStore:
    """Wire the list of due runs."""
    return DynamoDBRunStore(create_client("dynamodb"), settings.table)


def create_due_queue(settings: TickSettings) -> DueQueue:
    """Wire the queue that takes due runs."""
    return DueQueue(create_client("sqs"), settings.observe_queue_url)


def create_delayed_copies(settings: RunSettings) -> DelayedCopies:
    """Wire the way back for messages that are put off."""
    return DelayedCopies(_defer_client("sqs"), settings.observe_queue_url)


def create_price_list(table: str) -> DynamoDBPrices:
    """Wire the stack's price list."""
    dynamodb = create_client("dynamodb")
    return DynamoDBPrices(dynamodb, table, dynamodb.meta.region_name)


def create_price_source(settings: PriceSettings) -> S3PriceFile | AwsPriceList:
    """Wire what the price list is read from: the operator's file, or the AWS Price List."""
    if settings.price_file is not None:
        return S3PriceFile(create_client("s3"), settings.price_file)
    # The Price List is served in three regions only, for all of them.
    pricing: Any = _session().create_client("pricing", region_name=_PRICE_LIST_REGION, config=_PATIENT)
    return AwsPriceList(pricing, create_client("dynamodb").meta.region_name)
