"""Runs of a template that start from a copy of another run's checkpoints, of which only so many may be under way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.checkpoint_copy import Uncopied
from spot_relay.domain.run.observation import DataArrived, Due
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.domain.shown.report import status_document
from spot_relay.pages.headline import say_headline
from spot_relay.pages.run_facts import RunFacts
from spot_relay.pages.wording import Clock
from tests.fakes import REGION
from tests.unit.chains import Chain

KEY = "templates/churn.yaml"
ONE = Start(template=KEY, at_most=1)
COPIES = replace(ONE, after=("prep",), continue_from="prep", checkpoint=True)
WAITS = f"Waiting until no other run of {KEY} is under way."


def after_prep(*names: str, start: Start = COPIES) -> Chain:
    """A chain in which runs of a template copy the two checkpoints of `prep`, one in each call."""
    chain = Chain()
    chain.world.slots.find = chain.world.store.load
    chain.world.copies.at_once = 1
    chain.submit("prep")
    for name in names:
        chain.world.clock.passes(1)
        chain.submit(name, start)
    now = chain.world.clock()
    chain.world.checkpoints.found["s3://models/prep/"] = [Checkpoint(f"prep/{key}.pt", now) for key in "ab"]
    return chain


def copied(chain: Chain, name: str) -> int:
    """How many checkpoints are copied for a run."""
    return len(chain.world.checkpoints.found.get(f"s3://models/{name}/", []))


def says(chain: Chain, name: str) -> str:
    """The first sentence of a run's page, without what it costs."""
    now = chain.world.clock()
    return say_headline(RunFacts(status_document(chain.run(name), REGION), now), Clock(now)).partition(" $")[0]


def test_a_run_has_its_place_before_anything_is_copied_and_the_others_wait_for_it() -> None:
    chain = after_prep("train", "later")
    chain.ends("prep")
    assert (copied(chain, "train"), copied(chain, "later")) == (1, 0)
    assert (chain.run("later").reason, chain.run("later").waits_for_place) == (WAITS, True)
    assert "Files copied so far: 1." in chain.run().reason
    assert [says(chain, name) for name in ("train", "later")] == [
        "Not trained yet, copying the checkpoints of prep.",
        f"Not trained yet, waiting until no other run of {KEY} is under way.",
    ]
    assert [status_document(chain.run(name), REGION)["start"]["copied_objects"] for name in ("train", "later")] == [
        1,
        None,
    ]
    assert not chain.run().waits_for_place
    chain.looks()
    assert chain.launched == ["prep-relay-01", "train-relay-01"]
    chain.ends("train")
    assert copied(chain, "later") == 1
    chain.looks("later")
    assert chain.launched[2:] == ["later-relay-01"]
    assert chain.run("later").current.resumes_from is not None


def test_a_run_without_a_place_copies_nothing_until_another_one_has_ended() -> None:
    chain = after_prep("train")
    chain.submit("other", ONE)
    chain.ends("prep")
    assert (chain.run().reason, copied(chain, "train")) == (WAITS, 0)
    chain.looks()
    assert (chain.run().reason, copied(chain, "train")) == (WAITS, 0)
    chain.ends("other", "Failed")
    assert copied(chain, "train") == 1
    chain.looks()
    assert chain.run().current.status is AttemptStatus.IN_PROGRESS


def test_a_look_leaves_a_run_alone_whose_checkpoints_another_function_is_copying() -> None:
    chain = after_prep("train")
    chain.world.service = replace(chain.world.service, copies=None)
    chain.ends("prep")
    before = chain.run()
    assert before.outbox.copy
    chain.world.clock.passes(30)
    chain.deliver()
    chain.world.service.advance("train", DataArrived(chain.world.clock()))
    assert chain.run() == before


def test_a_run_whose_copy_has_failed_for_good_gives_its_place_to_the_next() -> None:
    chain = after_prep("train", "later")
    chain.world.copies.answers = [Uncopied("there is no complete checkpoint.", passes=False)]
    chain.ends("prep")
    assert chain.run().status is RunStatus.FAILED
    chain.deliver()
    assert (chain.run("later").status, copied(chain, "later")) == (RunStatus.PENDING, 1)
    chain.looks("later")
    assert chain.launched == ["prep-relay-01", "later-relay-01"]


def test_data_that_arrives_while_checkpoints_are_copied_does_not_hold_up_the_run_which_finds_it_anyway() -> None:
    chain = after_prep("train", start=replace(COPIES, at=Chain().world.clock()))
    chain.ends("prep")
    settled_at = chain.world.clock() + timedelta(minutes=5)
    before = chain.run()
    assert copied(chain, "train") == 1
    assert chain.world.service.advance("train", DataArrived(settled_at)) == before
    chain.looks()
    assert chain.launched == ["prep-relay-01", "train-relay-01"]


def test_the_end_of_a_run_wakes_those_that_wait_for_its_place_once_however_many_come_after_it() -> None:
    chain = Chain()
    chain.world.service = replace(chain.world.service, tells_at_once=2)
    chain.submit("train", ONE)
    chain.submit("next", ONE)
    for number in range(5):
        chain.world.clock.passes(1)
        chain.submit(f"after-{number}", Start(after=("train",)))
    chain.world.jobs.becomes("train-relay-01", "Completed", "Completed")
    chain.world.service.advance("train", chain.world.event(1, "Completed", "Completed"))
    told = [*chain.world.wakeups.told]
    while chain.world.wakeups.looks:
        chain.world.wakeups.looks.clear()
        chain.world.wakeups.told.clear()
        chain.world.service.advance("train", Due())
        told += chain.world.wakeups.told
    assert sorted(told) == ["after-0", "after-1", "after-2", "after-3", "after-4", "next"]
