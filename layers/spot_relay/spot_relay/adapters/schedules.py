"""Keep the schedules of templates in EventBridge Scheduler, in a group of the stack's own."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from spot_relay.adapters.inbound import write_template_due
from spot_relay.domain.values import No, as_sentence, dataclass

if TYPE_CHECKING:
    from spot_relay.domain.run.template import Schedule

# Scheduler puts the time in its place, in ISO 8601.
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"


@dataclass(frozen=True)
class EventBridgeSchedules:
    """Keeps one schedule per template, whose target is the queue of the function submit."""

    client: Any
    """Of Scheduler."""
    group: str
    role_arn: str
    """The role with which Scheduler sends to the queue."""
    queue_arn: str

    def put(self, template: str, schedule: Schedule) -> No | None:
        """Create or change the schedule of a template; return No if Scheduler refuses it."""
        request = {
            **self._name(template),
            "ScheduleExpression": schedule.expression,
            "ScheduleExpressionTimezone": schedule.timezone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": self.queue_arn,
                "RoleArn": self.role_arn,
                "Input": write_template_due(template, SCHEDULED_TIME),
            },
        }
        try:
            self._put(request)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            return No(as_sentence(f"EventBridge Scheduler refuses the schedule: {error.response['Error']['Message']}"))
        return None

    def remove(self, template: str) -> None:
        """Delete the schedule of a template, if it has one."""
        with suppress(self.client.exceptions.ResourceNotFoundException):
            self.client.delete_schedule(**self._name(template))

    def _put(self, request: dict[str, Any]) -> None:
        errors = self.client.exceptions
        try:
            self.client.update_schedule(**request)
        except errors.ResourceNotFoundException:
            try:
                self.client.create_schedule(**request)
            except errors.ConflictException:
                # Another function has created it just now.
                self.client.update_schedule(**request)

    def _name(self, template: str) -> dict[str, str]:
        """Return what names a template's schedule: a digest, because a key may be longer than a name."""
        return {"Name": hashlib.sha256(template.encode()).hexdigest(), "GroupName": self.group}
