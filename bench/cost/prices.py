"""AWS's list prices, in US dollars: the one place to change when they do."""

from __future__ import annotations

from typing import Final

REGION: Final = "us-east-1"
# The year of the published prices below. They were not looked up again for this table.
AS_OF: Final = "2025"

LAMBDA_REQUEST: Final = 0.20 / 1e6
LAMBDA_GB_SECOND: Final = 0.0000133334  # arm64
DYNAMODB_READ_UNIT: Final = 0.125 / 1e6  # on demand
DYNAMODB_WRITE_UNIT: Final = 0.625 / 1e6
DYNAMODB_GB_MONTH: Final = 0.25
DYNAMODB_BACKUP_GB_MONTH: Final = 0.20  # point-in-time recovery
SQS_REQUEST: Final = 0.40 / 1e6  # standard queues
EVENTBRIDGE_EVENT: Final = 1.00 / 1e6  # PutEvents, and S3's events; SageMaker's events are free
SCHEDULER_CALL: Final = 1.00 / 1e6
S3_WRITE: Final = 0.005 / 1e3  # PUT and LIST
S3_READ: Final = 0.0004 / 1e3  # GET
S3_GB_MONTH: Final = 0.023
API_REQUEST: Final = 3.50 / 1e6  # REST API
LOG_GB: Final = 0.50
LOG_GB_MONTH: Final = 0.03
ALARM_MONTH: Final = 0.10
COMPOSITE_ALARM_MONTH: Final = 0.50
DASHBOARD_MONTH: Final = 3.00  # an account's first three, with up to 50 metrics each, are free
METRIC_MONTH: Final = 0.30
