"""What holds always: the thirteen invariants, and the error that says which of them does not."""

from __future__ import annotations

INVARIANTS = {
    1: "a run has at most one live training job",
    2: "an accepted run ends, or is looked at again",
    3: "an attempt is created at most once, as it was planned, and known by its tags",
    4: "a user's stop is final, and a run that has ended never changes",
    5: "what could not be read proves nothing: no relaunch without a described end",
    6: "budgets are never exceeded, and a run that gives up says which one ended it",
    7: "a checkpoint prefix belongs to one run, and one attempt at a time writes there",
    8: "duplicate, late, reordered and lost events change nothing but time",
    9: "a run begins at its time, once those that it comes after have completed, with the model that it continues from",
    10: "what is done with a model is done once, for a run that has completed, and told as it is",
    11: "what a user has changed about an open run holds until it is changed again",
    12: "the same data starts one run, and no more runs of a template are under way than it allows",
    13: "every change of a run is told once it is saved, by an id that nothing else has, and no notice comes twice",
}


class ViolationError(BaseException):
    """An invariant does not hold; no handler of errors may catch it on its way."""

    def __init__(self, invariant: int, text: str) -> None:
        super().__init__(f"invariant {invariant} ({INVARIANTS[invariant]}): {text}")
        self.invariant = invariant
