"""The errors that the simulator returns, with the codes and messages of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class ServiceError(Exception):
    """An error in the form in which the service returns it to the client."""

    def __init__(
        self, code: str, message: str, status: int = 400, members: Mapping[str, str | int] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = members or {}


def invalid(message: str) -> ServiceError:
    """Return the error for a request that breaks a rule."""
    return ServiceError("ValidationException", message)


def not_found() -> ServiceError:
    """Return the error for a training job that does not exist."""
    return invalid("Requested resource not found.")


def name_taken(arn: str) -> ServiceError:
    """Return the error for a name that another training job has."""
    return ServiceError(
        "ResourceInUse",
        "Training job names must be unique within an AWS account and region, and a training job with this "
        f"name already exists ({arn})",
    )


def already_ended(status: str) -> ServiceError:
    """Return the error for stopping a job that has ended."""
    return invalid(f"The request was rejected because the training job is in status {status}")


def quota_exceeded(quota: str, limit: int, used: int, delta: int) -> ServiceError:
    """Return the error for a quota that has no room for a request."""
    return ServiceError(
        "ResourceLimitExceeded",
        f"The account-level service limit '{quota}' is {limit} Instances, with current utilization of {used} "
        f"Instances and a request delta of {delta} Instances. Please use AWS Service Quotas to request an "
        "increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an "
        "increase for this quota.",
    )


def throttled() -> ServiceError:
    """Return the error for a call that comes too soon after others of its kind."""
    return ServiceError("ThrottlingException", "Rate exceeded")


def unknown_operation(operation: str, known: Iterable[str]) -> ServiceError:
    """Return the error for an operation that the simulator does not have."""
    return ServiceError(
        "UnknownOperationException",
        f"The simulator does not know the operation '{operation}'. It knows: {', '.join(known)}.",
    )
