"""Keeps what may be secret out of what is stored, shown and logged."""

from __future__ import annotations

from typing import Any

# Shorter values, such as a depth of 5, are no secrets, and blanking them would make any text unreadable.
_SHORTEST = 8


def without_secrets(text: str, training_job: dict[str, Any]) -> str:
    """Blank the values of the job's HyperParameters and Environment in a text that SageMaker wrote."""
    given = [*training_job.get("HyperParameters", {}).values(), *training_job.get("Environment", {}).values()]
    # The SageMaker Python SDK writes hyperparameters as JSON, and the training prints them decoded.
    values = {*given, *(value[1:-1] for value in given if value[:1] == value[-1:] == '"')}
    for value in sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True):
        text = text.replace(value, "[hidden]")
    return text
