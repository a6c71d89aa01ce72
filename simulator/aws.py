"""MiniStack with one door opened: its EventBridge lets the simulator speak as ``aws.sagemaker``.

PutEvents refuses sources that begin with ``aws.``, on AWS and in recent versions of MiniStack: only the
services themselves may use them. The simulator stands for such a service, so it needs what they have.
``python -m simulator.aws`` takes MiniStack's own options and environment variables.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from ministack import app  # type: ignore[import-untyped]
from ministack.services import eventbridge  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE: Final = "aws.sagemaker"


def admitting(put_events: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap MiniStack's PutEvents so that batches of ``aws.sagemaker`` events alone are admitted, too."""
    if "allow_aws_source" not in inspect.signature(put_events).parameters:
        return put_events  # an older version, which admits every source

    def admit(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
        entries = data.get("Entries") or [{}]
        ours = all(entry.get("Source") == SOURCE for entry in entries)
        return put_events(data, allow_aws_source=allow_aws_source or ours)

    return admit


def main() -> None:
    """Run MiniStack in the foreground."""
    eventbridge._put_events = admitting(eventbridge._put_events)  # noqa: SLF001 (it has no setting for this)
    app.main()


if __name__ == "__main__":
    main()
