"""Scenes in which a run is given every reason that there is while it copies another one's checkpoints."""

from __future__ import annotations

from dataclasses import replace

from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, Copied, Uncopied
from spot_relay.domain.run.observation import CheckpointsCopied, PredecessorEnded, StopRequested
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.service import UnacceptableError
from tests.fakes import NOON
from tests.unit.chains import Chain
from tests.unit.worlds import submission

START = Start(after=("prep",), continue_from="prep", checkpoint=True)
COPY = CheckpointCopy("s3://models/prep/")


def copies_of_checkpoints() -> list[str]:
    chain = Chain()
    world = chain.world
    world.copies.at_once = 1
    chain.submit("prep")
    chain.submit("train", START)
    world.checkpoints.found["s3://models/prep/"] = [Checkpoint(f"prep/{n}.pt", NOON) for n in range(2)]
    world.telemetry.reasons.clear()
    chain.ends("prep")
    copying = replace(chain.run(), outbox=Outbox(copy=True))
    chain.looks()
    told = [line.partition(": ")[2] for line in world.telemetry.reasons]
    throttled = CheckpointsCopied(COPY, Uncopied("S3 answers SlowDown to CopyObject.", passes=True))
    waiting = replace(copying, copying=COPY)
    tired = replace(waiting, copying=replace(COPY, tries=9))
    at, facts = copying.updated_at, (PredecessorEnded(), throttled)
    late = CheckpointsCopied(COPY, Copied(Checkpoint("train/1.pt", NOON)))
    return [
        *told,
        *(decide(waiting, Facts(observation), at).reason for observation in facts),
        decide(tired, Facts(replace(throttled, of=tired.copying or COPY)), at).reason,
        decide(chain.run(), Facts(late), at).reason,
        decide(waiting, Facts(StopRequested()), at).reason,
        *objections(),
    ]


def objections() -> list[str]:
    """Why a run can never get the checkpoints of another one."""
    refused = []
    for theirs, own in (("s3://models/x/", "s3://models/x/y/"), (None, "s3://models/train/")):
        chain = Chain()
        chain.world.service.submit(submission(name="prep", CheckpointConfig={"S3Uri": theirs} if theirs else None))
        chain.ends("prep")
        try:
            wanted = submission(name="train", CheckpointConfig={"S3Uri": own})
            chain.world.service.submit(replace(wanted, start=START))
        except UnacceptableError as error:
            refused.append(str(error.details[0]["message"]))
    return refused
