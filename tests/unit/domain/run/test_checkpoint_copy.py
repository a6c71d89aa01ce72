"""The copy of another run's checkpoints."""

from __future__ import annotations

from spot_relay.domain.run.checkpoint_copy import CheckpointCopy
from spot_relay.domain.sagemaker.job import Checkpoint
from tests.fakes import NOON


def test_a_copy_that_begins_anew_has_its_source_and_pattern_and_nothing_done() -> None:
    done = CheckpointCopy("s3://models/prep/", "*.pt", 7, "b.pt", "upload", 2, Checkpoint("a.pt", NOON))
    assert done.anew() == CheckpointCopy("s3://models/prep/", "*.pt")
