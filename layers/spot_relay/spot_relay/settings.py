"""Read the settings of a function from its environment variables, and name the one that is missing or wrong."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from spot_relay.domain.rules.limits import InvalidLimitsError, Limits
from spot_relay.domain.rules.turns import FASTEST, SLOWEST, LaunchRate
from spot_relay.domain.run.news import DEFAULT_NOTICES, NoticeKind, list_kinds
from spot_relay.domain.values import No, dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


_RATE = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?")
_S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]+/.+")


class SettingsError(Exception):
    """An environment variable is missing or invalid."""


@dataclass(frozen=True)
class RunSettings:
    """What a function needs to advance runs."""

    table: str
    bucket: str
    check_every: timedelta
    retention: timedelta
    observe_queue_url: str
    limits: Limits
    launch_rate: LaunchRate
    canary_image: str | None = None
    metrics_by_placement: bool = False
    notices: tuple[NoticeKind, ...] = DEFAULT_NOTICES
    """The notices that runs send unless their specs say which."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise SettingsError if a variable is missing or invalid."""
        return cls(
            table=_read_text(env, "TABLE_NAME"),
            bucket=_read_text(env, "SPECS_BUCKET"),
            check_every=timedelta(seconds=_read_number(env, "CHECK_INTERVAL_SECONDS")),
            retention=timedelta(days=_read_number(env, "RETENTION_DAYS")),
            observe_queue_url=_read_text(env, "OBSERVE_QUEUE_URL"),
            limits=_read_limits(env, "ATTEMPT_LIMITS"),
            launch_rate=_read_rate(env, "LAUNCH_RATE"),
            canary_image=env.get("CANARY_IMAGE", "").strip() or None,
            metrics_by_placement=_read_switch(env, "METRICS_BY_PLACEMENT"),
            notices=_read_notices(env, "NOTICES"),
        )


@dataclass(frozen=True)
class SubmissionSettings:
    """What a spec may use; images and buckets are patterns with ``*`` and ``?``."""

    allowed_role_arns: tuple[str, ...]
    allowed_images: tuple[str, ...]
    allowed_checkpoint_buckets: tuple[str, ...]
    task_token_state_machines: tuple[str, ...] = ()
    region: str | None = None
    allow_hosting: bool = False
    allow_checkpoint_copies: bool = False
    trigger_buckets: tuple[str, ...] = ()
    """The buckets whose objects may start runs."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise SettingsError if a variable is missing or invalid."""
        return cls(
            allowed_role_arns=_read_list(env, "ALLOWED_ROLE_ARNS"),
            allowed_images=_read_list(env, "ALLOWED_IMAGES"),
            allowed_checkpoint_buckets=_read_list(env, "ALLOWED_CHECKPOINT_BUCKETS"),
            task_token_state_machines=_split(env.get("TASK_TOKEN_STATE_MACHINE_ARNS", "")),
            region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION"),
            allow_hosting=_read_switch(env, "ALLOW_HOSTING"),
            allow_checkpoint_copies=_read_switch(env, "ALLOW_CHECKPOINT_COPIES"),
            trigger_buckets=tuple(
                name for name in _split(env.get("TRIGGER_BUCKETS", "")) if name != env.get("SPECS_BUCKET")
            ),
        )


@dataclass(frozen=True)
class ScheduleSettings:
    """Where the schedules of templates are, and what they send their messages to, with which role."""

    group: str
    role_arn: str
    queue_arn: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise SettingsError if a variable is missing or invalid."""
        return cls(
            group=_read_text(env, "SCHEDULE_GROUP"),
            role_arn=_read_text(env, "SCHEDULE_ROLE_ARN"),
            queue_arn=_read_text(env, "SUBMIT_QUEUE_ARN"),
        )


@dataclass(frozen=True)
class TickSettings:
    """What the tick needs."""

    table: str
    observe_queue_url: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise SettingsError if a variable is missing or invalid."""
        return cls(table=_read_text(env, "TABLE_NAME"), observe_queue_url=_read_text(env, "OBSERVE_QUEUE_URL"))


@dataclass(frozen=True)
class WidgetSettings:
    """Whether runs have buttons in the widget."""

    acts: bool

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise SettingsError if a variable is invalid."""
        return cls(acts=_read_switch(env, "WIDGET_ACTIONS"))


@dataclass(frozen=True)
class PriceSettings:
    """Where prices are stored, and the file that they come from, or None for the AWS Price List."""

    table: str
    price_file: str | None

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise SettingsError if a variable is missing or invalid."""
        price_file = env.get("PRICE_FILE", "").strip()
        if price_file and not _S3_URI.fullmatch(price_file):
            message = f"The environment variable PRICE_FILE is {price_file!r}, but it must be s3://bucket/key or empty."
            raise SettingsError(message)
        return cls(table=_read_text(env, "TABLE_NAME"), price_file=price_file or None)


def _read_text(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        message = f"The environment variable {name} is not set. template.yaml sets it."
        raise SettingsError(message)
    return value


def _read_number(env: Mapping[str, str], name: str) -> int:
    value = _read_text(env, name)
    if not value.isdecimal() or int(value) == 0:
        message = f"The environment variable {name} is {value!r}, but it must be a whole number above 0."
        raise SettingsError(message)
    return int(value)


def _read_switch(env: Mapping[str, str], name: str) -> bool:
    """Read whether something is on; an unset variable means that it is off."""
    value = env.get(name, "").strip() or "false"
    if value not in {"true", "false"}:
        message = f"The environment variable {name} is {value!r}, but it must be true or false."
        raise SettingsError(message)
    return value == "true"


def _read_rate(env: Mapping[str, str], name: str) -> LaunchRate:
    value = _read_text(env, name)
    if not _RATE.fullmatch(value) or not SLOWEST <= float(value) <= FASTEST:
        message = f"The environment variable {name} is {value!r}, but it must be a number from {SLOWEST} to {FASTEST}."
        raise SettingsError(message)
    return LaunchRate(float(value))


def _read_list(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return _split(_read_text(env, name))


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _read_limits(env: Mapping[str, str], name: str) -> Limits:
    """Read the limits on attempts; an unset variable means no limits."""
    try:
        return Limits.parse(env.get(name, ""))
    except InvalidLimitsError as error:
        message = f"The environment variable {name} is invalid: {error}"
        raise SettingsError(message) from None


def _read_notices(env: Mapping[str, str], name: str) -> tuple[NoticeKind, ...]:
    """Read which notices are sent; an unset variable means those that Spot Relay sends by default."""
    names = _split(env.get(name, ""))
    kinds = list_kinds(names) if names else DEFAULT_NOTICES
    if isinstance(kinds, No):
        message = f"The environment variable {name} is invalid: {kinds.because}"
        raise SettingsError(message)
    return kinds
