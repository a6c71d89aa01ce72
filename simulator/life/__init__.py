"""The life of a training job as pure functions over frozen values: no clock, no network, standard library only.

`simulator.life.hosting` has the life of an endpoint.
"""

from simulator.life.capacity import Allocation, AlwaysAvailable, Capacity
from simulator.life.job import (
    ENDED,
    CheckpointReached,
    CheckpointWritten,
    Failure,
    Happening,
    Input,
    Job,
    PhaseDone,
    Script,
    Secondary,
    Status,
    StopRequested,
    Terms,
    TrainingExited,
    Transition,
    Transitioned,
)
from simulator.life.lifecycle import advance, begin, billable_seconds, next_due, training_seconds, work_done

__all__ = [
    "ENDED",
    "Allocation",
    "AlwaysAvailable",
    "Capacity",
    "CheckpointReached",
    "CheckpointWritten",
    "Failure",
    "Happening",
    "Input",
    "Job",
    "PhaseDone",
    "Script",
    "Secondary",
    "Status",
    "StopRequested",
    "Terms",
    "TrainingExited",
    "Transition",
    "Transitioned",
    "advance",
    "begin",
    "billable_seconds",
    "next_due",
    "training_seconds",
    "work_done",
]
