"""The copy of another run's checkpoints to a run's own prefix, from which its training starts."""

from __future__ import annotations

from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.domain.values import dataclass


@dataclass(frozen=True)
class CheckpointCopy:
    """What is copied, and how far that is. The oldest objects are copied first."""

    source: str
    """The other run's prefix, as an S3 URI."""
    pattern: str | None = None
    """Which of the objects there are checkpoints, as that run's policy says."""
    done: int = 0
    """How many objects are copied."""
    after: str | None = None
    """The key of the last one of them, below the prefix; None once everything is copied."""
    upload: str | None = None
    """The id of the multipart upload of the next object, if only parts of it are copied."""
    tries: int = 0
    """How many tries in a row have failed."""
    newest: Checkpoint | None = None
    """The newest checkpoint among the copies; None until everything is copied."""

    def anew(self) -> CheckpointCopy:
        """Return the same copy before anything of it is done."""
        return CheckpointCopy(self.source, self.pattern)


@dataclass(frozen=True)
class Copied:
    """Everything is copied."""

    newest: Checkpoint
    """The newest checkpoint among the copies."""


@dataclass(frozen=True)
class CopyPaused:
    """The time of one call of a function was not enough; the fields are those of `CheckpointCopy`."""

    done: int
    after: str | None
    upload: str | None = None


@dataclass(frozen=True)
class Uncopied:
    """Nothing more could be copied."""

    because: str
    passes: bool
    """Whether the same try may succeed later."""


CopyAnswer = Copied | CopyPaused | Uncopied
