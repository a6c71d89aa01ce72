"""The errors that the simulator answers, with the service's codes and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ServiceError(Exception):
    """An error that goes to the client as the service would send it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> ServiceError:
    """Say that a request breaks a rule."""
    return ServiceError("ValidationException", message)


def not_found() -> ServiceError:
    """Say that there is no such training job."""
    return invalid("Requested resource not found.")


def name_taken(arn: str) -> ServiceError:
    """Say that a training job of this name exists."""
    return ServiceError(
        "ResourceInUse",
        "Training job names must be unique within an AWS account and region, and a training job with this "
        f"name already exists ({arn})",
    )


def already_ended(status: str) -> ServiceError:
    """Say that a job that has ended cannot be stopped."""
    return invalid(f"The request was rejected because the training job is in status {status}")


def quota_exceeded(quota: str, limit: int, used: int, delta: int) -> ServiceError:
    """Say which quota has no room for the request."""
    return ServiceError(
        "ResourceLimitExceeded",
        f"The account-level service limit '{quota}' is {limit} Instances, with current utilization of {used} "
        f"Instances and a request delta of {delta} Instances. Please use AWS Service Quotas to request an "
        "increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an "
        "increase for this quota.",
    )


def unknown_operation(operation: str, known: Iterable[str]) -> ServiceError:
    """Say which operations the simulator has."""
    return ServiceError(
        "UnknownOperationException",
        f"The simulator does not know the operation '{operation}'. It knows: {', '.join(known)}.",
    )
