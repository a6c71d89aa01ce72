"""Runs that begin once others have completed, or at a time."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import Due, PredecessorEnded
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.start import OnFailure, Start
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.shown.report import status_document
from spot_relay.service import RejectedError, UnacceptableError
from tests.fakes import NOON, REGION
from tests.unit.chains import MODEL, Chain
from tests.unit.worlds import deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.policy import Policy
    from spot_relay.domain.run.run import Run

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def test_a_run_launches_nothing_before_the_run_that_it_comes_after_has_completed() -> None:
    chain = Chain()
    chain.submit("prep")
    waiting = chain.after("prep")
    assert (waiting.status, waiting.reason) == (RunStatus.PENDING, "Waiting for the run prep to complete.")
    chain.looks()
    chain.looks()
    assert chain.launched == ["prep-relay-01"]
    chain.ends("prep")
    assert chain.launched == ["prep-relay-01", "train-relay-01"]
    assert chain.run().attempts[0].status is AttemptStatus.IN_PROGRESS
    assert chain.world.documents.written["train"]["start"]["waits"] is False


def test_a_run_after_one_that_has_completed_begins_at_once() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.ends("prep")
    assert chain.after("prep").attempts[0].status is AttemptStatus.IN_PROGRESS


def test_a_run_begins_once_all_that_it_comes_after_have_completed_in_any_order() -> None:
    chain = Chain()
    for name in ("a", "b", "c"):
        chain.submit(name)
    assert chain.after("a", "b", "c").reason == "Waiting for the runs a, b and c to complete (0 of 3 have completed)."
    chain.ends("b")
    chain.ends("a")
    assert chain.run().reason == "Waiting for the run c to complete (2 of 3 have completed)."
    assert chain.run().waits_for_run == "c"
    chain.ends("c")
    assert "train-relay-01" in chain.launched


def test_waiting_costs_one_look_an_hour_after_the_first_minutes() -> None:
    chain = Chain()
    chain.submit("prep")
    assert chain.after("prep").check_at == NOON + MINUTE
    assert chain.looks().check_at == NOON + MINUTE + HOUR
    assert chain.looks().check_at == NOON + MINUTE + 2 * HOUR


def test_a_run_that_waits_for_another_one_now_looks_again_in_a_minute_because_the_index_lags() -> None:
    chain = Chain()
    chain.submit("a")
    chain.submit("b")
    chain.after("a", "b")
    chain.looks()
    chain.ends("a")
    assert chain.run().check_at == chain.world.clock() + MINUTE


def test_the_tick_repairs_a_wake_up_that_is_lost() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.after("prep")
    chain.looks()
    chain.world.jobs.becomes("prep-relay-01", "Completed", "Completed")
    chain.world.service.advance("prep", chain.world.event(1, "Completed", "Completed"))
    chain.world.wakeups.told.clear()
    assert chain.looks().attempts[0].status is AttemptStatus.IN_PROGRESS


def test_news_of_an_end_that_comes_twice_or_late_changes_nothing() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.after("prep")
    chain.ends("prep")
    before = chain.run()
    chain.world.service.advance("train", PredecessorEnded())
    assert chain.run() == before
    assert chain.launched.count("train-relay-01") == 1


def test_a_run_fails_when_the_one_before_it_fails() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.after("prep")
    chain.ends("prep", "Failed", failure_reason="AlgorithmError: no data")
    assert chain.run().status is RunStatus.FAILED
    assert "This run comes after prep, which is Failed." in chain.run().reason
    assert chain.launched == ["prep-relay-01"]


def test_a_run_fails_at_once_when_one_further_down_its_list_fails() -> None:
    chain = Chain()
    for name in ("a", "b", "c"):
        chain.submit(name)
    chain.after("a", "b", "c")
    chain.ends("b")
    chain.ends("c", "Failed", failure_reason="AlgorithmError: no data")
    assert chain.run().status is RunStatus.FAILED
    assert "This run comes after c, which is Failed." in chain.run().reason


def test_a_failure_goes_down_the_whole_chain() -> None:
    chain = Chain()
    chain.submit("a")
    chain.submit("b", Start(after=("a",)))
    chain.submit("c", Start(after=("b",)))
    chain.ends("a", "Failed", failure_reason="AlgorithmError: no data")
    chain.deliver()
    assert [chain.run(name).status for name in "abc"] == ["Failed"] * 3


def test_a_run_that_may_wait_outlasts_a_failure_until_the_other_run_is_resumed_and_completes() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.after("prep", on_failure=OnFailure.WAIT)
    chain.ends("prep", "Failed", failure_reason="AlgorithmError: no data")
    assert chain.run().status is RunStatus.PENDING
    chain.world.service.resume("prep")
    chain.ends("prep")
    assert "train-relay-01" in chain.launched


def test_a_run_that_failed_for_another_one_can_be_resumed_once_that_has_completed() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.after("prep")
    chain.ends("prep", "Failed", failure_reason="AlgorithmError: no data")
    again = chain.world.service.resume("train")
    assert (again.status, "comes after prep, which is Failed" in again.reason) == (RunStatus.FAILED, True)
    chain.world.service.resume("prep")
    chain.ends("prep")
    assert chain.world.service.resume("train").attempts[0].status is AttemptStatus.IN_PROGRESS
    assert [attempt.number for attempt in chain.run().attempts] == [1]


def test_a_waiting_run_that_is_stopped_ends_at_once_and_never_begins() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.after("prep")
    assert chain.world.service.stop("train").status is RunStatus.STOPPED
    chain.ends("prep")
    assert chain.launched == ["prep-relay-01"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "There is no run prep"),
        ({"known_within_seconds": None, "on_failure": OnFailure.WAIT}, "There is no run prep"),
    ],
)
def test_a_run_after_one_that_does_not_exist_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UnacceptableError, match=message):
        Chain().after("prep", **given)


def test_a_run_after_one_that_has_failed_is_refused_unless_it_may_wait() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.ends("prep", "Failed", failure_reason="AlgorithmError: no data")
    with pytest.raises(UnacceptableError, match=r"comes after prep, which is Failed\..* submit this one again"):
        chain.after("prep")
    assert chain.after("prep", on_failure=OnFailure.WAIT).status is RunStatus.PENDING


def test_a_run_waits_for_another_one_to_be_submitted_as_long_as_it_says() -> None:
    chain = Chain()
    chain.after("prep", known_within_seconds=7200)
    for _ in range(3):
        chain.looks()
    assert (chain.run().status, chain.world.clock()) == (RunStatus.FAILED, NOON + 2 * HOUR)
    assert "There is no run prep" in chain.run().reason


def test_a_run_that_is_submitted_in_time_is_waited_for() -> None:
    chain = Chain()
    chain.after("prep", known_within_seconds=7200)
    chain.world.clock.passes(3000)
    chain.submit("prep")
    for _ in range(4):
        chain.looks()
    assert chain.run().status is RunStatus.PENDING
    chain.ends("prep")
    assert "train-relay-01" in chain.launched


def test_runs_that_would_wait_for_each_other_are_refused() -> None:
    chain = Chain()
    chain.submit("a", Start(after=("c",), known_within_seconds=3600))
    chain.submit("b", Start(after=("a",)))
    with pytest.raises(UnacceptableError, match="Runs would wait for each other: c → b → a → c"):
        chain.submit("c", Start(after=("b",)))


def test_runs_that_come_to_wait_for_each_other_at_the_same_moment_fail() -> None:
    chain = Chain()
    chain.submit("a", Start(after=("b",), known_within_seconds=3600))
    stored = chain.world.store.runs.pop("a")
    chain.submit("b", Start(after=("a",), known_within_seconds=3600))
    chain.world.store.runs["a"] = stored
    chain.deliver()
    assert chain.looks("a").status is RunStatus.FAILED
    assert "a → b → a" in chain.run("a").reason
    chain.deliver()
    assert chain.run("b").status is RunStatus.FAILED


@pytest.mark.parametrize(("known_within", "loaded"), [(None, ["b"]), (HOUR.seconds, ["b", "a"])])
def test_only_a_run_that_may_close_a_cycle_follows_the_others_each_time(
    known_within: int | None, loaded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = Chain()
    chain.submit("a")
    chain.submit("b", Start(after=("a",)))
    chain.submit("c", Start(after=("b",), known_within_seconds=known_within))
    load, read = chain.world.store.load, list[str]()

    def note(run_id: str) -> Run | None:
        read.append(run_id)
        return load(run_id)

    monkeypatch.setattr(chain.world.store, "load", note)
    chain.world.service.advance("c", PredecessorEnded())
    assert read == ["c", *loaded]


def test_a_run_that_has_begun_closes_no_cycle() -> None:
    chain = Chain()
    chain.submit("a")
    chain.ends("a")
    chain.submit("b", Start(after=("a",)))
    chain.submit("c", Start(after=("b", "a")))
    assert chain.run("c").waits_for_run == "b"


def test_a_chain_of_a_hundred_waiting_runs_is_long_enough() -> None:
    chain = Chain()
    chain.submit("run-0")
    for number in range(1, 100):
        chain.submit(f"run-{number}", Start(after=(f"run-{number - 1}",)))
    with pytest.raises(UnacceptableError, match="The run would wait for 100 others or more"):
        chain.submit("run-100", Start(after=("run-99",)))


def test_a_name_in_another_case_is_the_same_run() -> None:
    chain = Chain()
    chain.submit("Prep")
    chain.after("prep")
    chain.ends("Prep")
    assert "train-relay-01" in chain.launched


def test_the_model_of_the_run_before_is_an_input_channel() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.after("prep", continue_from="prep", channel="warm")
    chain.ends("prep", model_artifacts=MODEL)
    [*_, channel] = chain.world.jobs.requests[-1]["InputDataConfig"]
    assert channel["ChannelName"] == "warm"
    assert channel["ContentType"] == "application/x-sagemaker-model"
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == MODEL


def test_a_run_keeps_the_model_even_if_the_run_before_is_forgotten_while_it_waits_for_others() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.submit("labels")
    chain.after("prep", "labels", continue_from="prep")
    chain.ends("prep", model_artifacts=MODEL)
    del chain.world.store.runs["prep"]
    chain.ends("labels")
    assert MODEL in str(chain.world.jobs.requests[-1])


def test_a_run_fails_if_the_one_before_it_left_no_model() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.after("prep", continue_from="prep")
    chain.ends("prep", model_artifacts=None)
    assert chain.run().status is RunStatus.FAILED
    assert "left no model" in chain.run().reason


def test_a_run_starts_at_its_time() -> None:
    chain = Chain()
    run = chain.submit("train", Start(at=NOON + 5 * HOUR))
    assert run.reason == "Waiting until 2026-11-23T17:00:00Z, when the run starts."
    assert run.check_at == NOON + 5 * HOUR
    assert chain.looks().attempts[0].status is AttemptStatus.IN_PROGRESS


def test_a_run_whose_time_has_come_still_waits_for_the_runs_before_it() -> None:
    chain = Chain()
    chain.submit("prep")
    run = chain.submit("train", Start(at=NOON + 2 * HOUR, after=("prep",)))
    assert run.reason == "Waiting for the run prep to complete, and until 2026-11-23T14:00:00Z."
    for _ in range(3):
        chain.looks()
    assert chain.launched == ["prep-relay-01"]
    assert chain.run().reason == "Waiting for the run prep to complete."
    chain.ends("prep")
    assert "train-relay-01" in chain.launched


@pytest.mark.parametrize("at", [NOON + timedelta(days=366, seconds=1), datetime.max.replace(tzinfo=UTC)])
@pytest.mark.parametrize("policy", [None, deadline(10_800)])
def test_a_start_more_than_a_year_ahead_is_refused(at: datetime, policy: Policy | None) -> None:
    with pytest.raises(UnacceptableError, match=r"start_at: .*Z is more than 366 days from now"):
        Chain().world.service.submit(replace(submission(policy), start=Start(at=at)))


def test_a_time_that_has_passed_is_now() -> None:
    assert Chain().submit("train", Start(at=NOON - HOUR)).attempts[0].status is AttemptStatus.IN_PROGRESS


def test_a_deadline_that_the_wait_has_used_up_starts_the_run_on_demand() -> None:
    chain = Chain()
    chain.submit("prep")
    wanted = submission(deadline(10_800), name="train", CheckpointConfig={"S3Uri": "s3://models/train/"})
    chain.world.service.submit(replace(wanted, start=Start(after=("prep",))))
    chain.world.clock.passes(3600)
    chain.ends("prep")
    first = chain.run().attempts[0]
    assert (first.placement.market, first.cause) == (Market.ON_DEMAND, Cause.SAFETY_NET)


def test_a_deadline_before_the_start_is_refused() -> None:
    wanted = submission(deadline(10_800), name="train")
    start = Start(at=NOON + 2 * HOUR)
    with pytest.raises(UnacceptableError, match=r"policy\.deadline"):
        Chain().world.service.submit(replace(wanted, start=start))


def test_the_status_document_shows_what_a_run_waits_for() -> None:
    chain = Chain()
    chain.submit("a")
    chain.submit("b")
    chain.after("a", "b", continue_from="b")
    chain.ends("a")
    assert status_document(chain.run(), REGION)["start"] == {
        "waits": True,
        "template": None,
        "at_most": None,
        "at": None,
        "after": [{"run_id": "a", "has_completed": True}, {"run_id": "b", "has_completed": False}],
        "on_failure": "fail",
        "continue_from": "b",
        "channel": "model",
        "checkpoint": False,
        "copied_objects": None,
    }


def test_the_status_document_shows_that_a_run_continues_from_checkpoints() -> None:
    chain = Chain()
    chain.submit("b")
    shown = status_document(chain.after("b", continue_from="b", checkpoint=True), REGION)["start"]
    assert (shown["continue_from"], shown["channel"], shown["checkpoint"]) == ("b", None, True)


def test_the_same_submission_again_is_the_same_waiting_run() -> None:
    chain = Chain()
    chain.submit("prep")
    assert chain.after("prep").submission_id == chain.after("prep").submission_id


def test_a_run_that_is_under_way_cannot_be_resumed_while_it_waits() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.after("prep")
    with pytest.raises(RejectedError, match="Only a run that has ended"):
        chain.world.service.resume("train")


def test_all_that_wait_for_a_run_are_told_of_its_end() -> None:
    chain = Chain()
    chain.submit("prep")
    for number in range(300):
        chain.submit(f"train-{number}", Start(after=("prep",)))
    chain.world.jobs.becomes("prep-relay-01", "Completed", "Completed")
    chain.world.service.advance("prep", chain.world.event(1, "Completed", "Completed"))
    assert len(set(chain.world.wakeups.told)) == 300


def in_parts(chain: Chain, followers: int) -> None:
    """Let each call tell three of the runs that come after `prep`."""
    chain.world.service = replace(chain.world.service, tells_at_once=3)
    chain.submit("prep")
    for number in range(followers):
        chain.submit(f"train-{number}", Start(after=("prep",)))


@pytest.mark.parametrize("followers", [0, 1, 2, 3, 4, 6, 20])
def test_many_that_wait_for_a_run_are_told_part_by_part_each_by_a_call_that_the_one_before_asks_for(
    followers: int,
) -> None:
    chain = Chain()
    in_parts(chain, followers)
    chain.world.service.stop("prep")
    chain.world.jobs.becomes("prep-relay-01", "Stopped", "Stopped")
    chain.world.service.advance("prep", chain.world.event(1, "Stopped", "Stopped"))
    told, calls = [*chain.world.wakeups.told], 1
    assert len(told) == min(3, followers)
    while chain.world.wakeups.looks:
        chain.deliver()
        assert chain.world.wakeups.looks == [("prep", timedelta(0))]
        chain.world.wakeups.looks.clear()
        chain.world.service.advance("prep", Due())
        told, calls = told + chain.world.wakeups.told, calls + 1
    assert sorted(told) == sorted(f"train-{number}" for number in range(followers))
    assert calls == 1 + followers // 3
    assert not chain.run("prep").outbox.tell_followers


def test_one_call_tells_a_thousand_runs_of_an_end_and_leaves_the_others_to_a_message() -> None:
    chain = Chain()
    chain.submit("other")
    chain.submit("prep", Start(after=("other",)))
    one = chain.submit("train", Start(after=("prep",)))
    chain.world.store.runs |= {f"train-{n}": replace(one, id=f"train-{n}") for n in range(2499)}
    chain.world.service.stop("prep")
    assert len(set(chain.world.wakeups.told)) == 1000
    assert chain.world.wakeups.looks == [("prep", timedelta(0))]
    for _ in range(3):
        chain.world.service.advance("prep", Due())
    assert len(set(chain.world.wakeups.told)) == len(chain.world.wakeups.told) == 2500


def test_a_launch_that_ends_its_run_tells_those_after_it_at_once_and_asks_for_no_other_call() -> None:
    chain = Chain()
    chain.submit("prep", Start(after=("late",), known_within_seconds=3600))
    chain.after("prep")
    chain.submit("late")
    chain.world.jobs.refusals = [(Refusal.INVALID, "Could not assume role.")]
    chain.ends("late")
    chain.deliver()
    assert [chain.run(name).status for name in ("prep", "train")] == [RunStatus.FAILED] * 2
    assert chain.world.wakeups.looks == []


def test_the_tick_goes_on_telling_of_an_end_if_the_message_for_that_is_lost() -> None:
    chain = Chain()
    in_parts(chain, 4)
    chain.ends("prep")
    prep = chain.run("prep")
    assert (prep.outbox.tell_followers, prep.due_at) == (True, chain.world.clock() + 1.5 * MINUTE)
    chain.world.service.advance("prep", Due())
    chain.deliver()
    assert chain.run("train-3").attempts[0].status is AttemptStatus.IN_PROGRESS


def test_two_functions_that_tell_of_an_end_at_the_same_time_leave_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain()
    in_parts(chain, 8)
    chain.ends("prep")
    tell = chain.world.wakeups.tell

    def with_another(run_ids: tuple[str, ...]) -> None:
        monkeypatch.setattr(chain.world.wakeups, "tell", tell)
        chain.world.service.advance("prep", Due())
        tell(run_ids)

    monkeypatch.setattr(chain.world.wakeups, "tell", with_another)
    while chain.run("prep").outbox.tell_followers:
        chain.world.service.advance("prep", Due())
    chain.deliver()
    assert {chain.run(f"train-{n}").attempts[0].status for n in range(8)} == {AttemptStatus.IN_PROGRESS}


def test_a_look_at_a_run_before_it_is_due_begins_nothing() -> None:
    chain = Chain()
    chain.submit("prep")
    before = chain.after("prep")
    chain.world.service.advance("train", Due())
    assert chain.run() == before


def test_a_run_that_becomes_due_while_the_facts_are_gathered_does_not_take_the_others_for_unknown() -> None:
    chain = Chain()
    chain.submit("prep")
    before = chain.after("prep")
    assert before.check_at is not None
    moments = itertools.chain([before.check_at - timedelta(microseconds=1)], itertools.repeat(before.check_at))
    replace(chain.world.service, clock=lambda: next(moments)).advance("train", Due())
    assert chain.run() == before
    assert chain.looks().status is RunStatus.PENDING


def test_the_news_of_an_end_that_could_not_be_told_stays_owed() -> None:
    chain = Chain()
    chain.submit("prep")
    chain.after("prep")
    chain.world.jobs.becomes("prep-relay-01", "Completed", "Completed")
    told, chain.world.wakeups.told = chain.world.wakeups.told, None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        chain.world.service.advance("prep", chain.world.event(1, "Completed", "Completed"))
    prep = chain.run("prep")
    assert (prep.status, prep.outbox.tell_followers) == (RunStatus.COMPLETED, True)
    assert prep.due_at is not None
    chain.world.wakeups.told = told
    chain.world.service.advance("prep", Due())
    chain.deliver()
    assert "train-relay-01" in chain.launched
