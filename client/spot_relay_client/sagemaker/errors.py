"""What the stack refuses, as an error of SageMaker."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spot_relay_client.errors import RefusedError


class ServiceError(Exception):
    """An error that SageMaker's clients know: its code, its message, and the status of its HTTP answer."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def refuse_creation(error: RefusedError, name: str) -> ServiceError:
    """Return the error of CreateTrainingJob for a spec that the stack refuses."""
    if error.code == "NameConflict":
        return ServiceError(
            "ResourceInUse",
            "Training job names must be unique within an AWS account and region, and a training job with this name "
            f"already exists ({name}). It is a run of Spot Relay, which `spot-relay show {name}` shows. To train "
            "again, use another name.",
        )
    return ServiceError("ValidationException", str(error))


def refuse_stop(error: RefusedError) -> ServiceError:
    """Return the error of StopTrainingJob for a run that cannot be stopped."""
    return ServiceError(
        "ValidationException",
        f"The request was rejected because the training job cannot be stopped: {error}",
    )
