"""docs/policy.md tells the truth: its specs are valid, and its stories come out as its tables say."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.rules.limits import Limits
from spot_relay.domain.rules.pace import Standing, standing_of
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import JobChanged, RoomFreed
from spot_relay.domain.run.policy import Spent
from spot_relay.domain.run.prices import PriceList, read_prices
from spot_relay.domain.sagemaker.job import Checkpoint, Market
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.shown.report import status_document, summarise
from spot_relay.service import UnacceptableError
from spot_relay.spec import Allowlist, InvalidSpecError, parse_submission, read_resumption
from tests.fakes import NOON, REGION
from tests.unit.worlds import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.submission import Submission

PAGE = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
ALLOWLIST = Allowlist(
    allowed_role_arns=("arn:aws:iam::111122223333:role/spot-relay-training",),
    allowed_images=("111122223333.dkr.ecr.us-east-1.amazonaws.com/*",),
    allowed_checkpoint_buckets=("my-training-bucket",),
)
QUOTA_FULL = (
    "The account-level service limit 'ml.g5.2xlarge for spot training job usage' is 1 Instances, with current "
    "utilization of 1 Instances and a request delta of 1 Instances."
)
NO_CAPACITY = {"failure_reason": "CapacityError: Unable to provision."}
SAVES_EVERY = timedelta(minutes=30)


def section(title: str) -> str:
    """The text under a heading, as far as the next one of the same level."""
    level = r"#{2,3}" if f"\n### {title}\n" in PAGE else "##"
    [text] = re.findall(rf"\n{level} {title}\n(.*?)(?=\n{level} |\Z)", PAGE, re.DOTALL)
    return str(text)


def blocks(language: str, title: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def tables(title: str) -> list[list[dict[str, str]]]:
    """The tables of a section, a row a mapping from the heads of its columns."""
    found = []
    for text in re.findall(r"(?:^\|.*\n)+", section(title), re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines())
        found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


def says(text: str) -> bool:
    """Whether the page has a text, however its lines are broken."""
    return " ".join(text.split()) in " ".join(re.sub(r"^\s*> ?", "", PAGE, flags=re.MULTILINE).split())


def document(title: str, nth: int = 0) -> dict[str, Any]:
    """The job of the examples with the keys that an example names."""
    whole: dict[str, Any] = yaml.safe_load(blocks("yaml", "The job of the examples")[0])
    given: dict[str, Any] = yaml.safe_load(blocks("yaml", title)[nth])
    return whole | given | {"training_job": whole["training_job"] | given.get("training_job", {})}


def spec(title: str, nth: int = 0, **policy: Any) -> Submission:
    found = document(title, nth)
    return parse_submission(found | {"policy": found.get("policy", {}) | policy} if policy else found, ALLOWLIST)


def seconds(clock: str) -> int:
    hours, minutes = clock.split(":")
    return 3600 * int(hours) + 60 * int(minutes)


@dataclass
class Stage(World):
    """A world in which the job of the examples saves its work every 30 minutes, and the tick comes each minute."""

    acts: dict[str, Callable[[], Any]] = field(default_factory=dict)

    def play(self, clock: str) -> None:
        """Let the time come, and what the story has happen then."""
        while self.clock() < NOON + timedelta(seconds=seconds(clock)):
            self.clock.passes(60)
            self._save()
            self.tick()
            if act := self.acts.pop(self.elapsed(), None):
                act()

    def elapsed(self) -> str:
        minutes = round((self.clock() - NOON).total_seconds() / 60)
        return f"{minutes // 60}:{minutes % 60:02d}"

    def moves(self, attempt: int, secondary: str, status: str = "InProgress", **changes: Any) -> Callable[[], Any]:
        """Let an attempt's job move on when its time comes."""

        def act() -> None:
            began = {"training_started_at": self.clock()} if secondary == "Training" else {}
            self.tell(attempt, status, secondary, **began, **changes)

        return act

    def reasons(self, at: str, run_id: str = "churn") -> str:
        """All that was decided in that minute."""
        moment = NOON + timedelta(seconds=seconds(at))
        return "\n".join(d.reason for d in self.run(run_id).decisions if d.at == moment)

    def _save(self) -> None:
        for name, job in self.jobs.jobs.items():
            since = job.transitions[-1].started_at
            saves = job.secondary_status == "Training" and "-relay-" in name and self.clock() > since
            if saves and (self.clock() - since) % SAVES_EVERY == timedelta(0):
                found = self.checkpoints.found.setdefault(self.run().checkpoint_uri or "", [])
                found.append(Checkpoint(f"checkpoints/churn/model-{len(found) + 1}", self.clock()))


def check(stage: Stage, table: list[dict[str, str]]) -> None:
    """Play a table: at each time what it says in `this type` was decided, and the run stands where it says."""
    for row in table:
        stage.play(row["at"])
        decided = stage.reasons(row["at"])
        for quoted in re.findall("`([^`]* [^`]*)`", row["what Spot Relay does"]):
            assert quoted in decided, f"{row['at']}: {quoted!r} is not in {decided!r}"
        for name, worth in standing(stage).items():
            assert name not in row or row[name] == f"{worth:.2f}", f"{row['at']}: {name} is {worth:.2f}"
        shown = status_document(stage.run(), REGION)
        for name in ("cost_usd", "on_demand_cost_usd", "wasted_usd"):
            assert f"`{name}`" not in row or float(row[f"`{name}`"]) == pytest.approx(shown[name]), row["at"]


def standing(stage: Stage) -> dict[str, float]:
    """C, R and θ·R in hours; nothing without a deadline."""
    now = standing_of(stage.run(), stage.clock())
    return {"C": now.work / 3600, "R": now.time / 3600, "θ·R": now.pace * now.time / 3600} if now else {}


def under_way(title: str, nth: int = 0, **policy: Any) -> Stage:
    """A stage on which the run of an example was just submitted."""
    stage = Stage()
    stage.service.submit(spec(title, nth, **policy))
    return stage


def test_every_yaml_block_is_a_valid_spec_with_the_job_of_the_examples() -> None:
    titles = ["Ladder", "Budgets", "Quotas and the queue", "Deadline", "Money"]
    assert 1 + sum(len(blocks("yaml", title)) for title in titles) == PAGE.count("```yaml")
    for title in titles:
        assert all(spec(title, nth).training_job for nth in range(len(blocks("yaml", title))))


def test_the_policy_that_the_readme_shows_is_valid() -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    [shown] = [
        yaml.safe_load(text.replace("{…}", "{}")) for text in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    ]
    policy = parse_submission(document("Deadline") | {"policy": shown["policy"]}, ALLOWLIST).policy
    assert (len(policy.ladder), policy.budgets.money_usd) == (3, 60)
    assert policy.deadline is not None


def test_the_ladder_leads_a_run_down_to_on_demand() -> None:
    stage = under_way("Ladder")
    stage.acts = {
        "6:00": stage.moves(1, "MaxWaitTimeExceeded", "Stopped"),
        "6:10": stage.moves(2, "Failed", "Failed", **NO_CAPACITY),
        "6:25": stage.moves(3, "Downloading"),
        "6:30": stage.moves(3, "Training"),
        "8:30": stage.moves(3, "Interrupted"),
        "12:10": stage.moves(3, "MaxWaitTimeExceeded", "Stopped"),
        "12:15": stage.moves(4, "Training"),
        "16:15": stage.moves(4, "Completed", "Completed"),
    }
    check(stage, tables("Ladder")[0])
    assert not stage.acts
    assert stage.run().spent == Spent(expired_waits=2, capacity_failures=1)


def test_a_budget_ends_a_run_and_a_resume_raises_it() -> None:
    stage = under_way("Budgets")
    body = blocks("json", "Budgets")[0].encode()
    stage.acts = {
        "6:00": stage.moves(1, "MaxWaitTimeExceeded", "Stopped"),
        "12:00": stage.moves(2, "MaxWaitTimeExceeded", "Stopped"),
        "20:00": lambda: stage.service.resume("churn", read_resumption(body)),
        "20:10": stage.moves(3, "Failed", "Failed", **NO_CAPACITY),
    }
    first, second, resumed, *later = tables("Budgets")[0]
    check(stage, [first])
    assert stage.run().spent.expired_waits == 1
    check(stage, [second])
    assert stage.run().status == "Failed"
    check(stage, [resumed])
    assert (stage.run().spent, stage.run().policy.budgets.expired_waits) == (Spent(), 4)
    check(stage, later)
    assert not stage.acts
    assert str(json.loads(body)).replace("'", '"') in blocks("python", "Budgets")[0]


def check_queue(stage: Stage, table: list[dict[str, str]]) -> None:
    for row in table:
        stage.clock.now = NOON + timedelta(seconds=seconds(row["at"]))
        _queue_act(stage, row["run"], row["what happens"])
        for quoted in re.findall("`(.*?)`", row["its `reason`"]):
            assert quoted in stage.run(row["run"]).reason, f"{row}: {stage.run(row['run']).reason}"


def _queue_act(stage: Stage, run_id: str, happens: str) -> None:
    full = [(Refusal.QUOTA_FULL, QUOTA_FULL)]
    stage.jobs.refusals = full if "quota is full" in happens or "asks" in happens else []
    if happens.startswith("submitted"):
        text = json.dumps(document("Quotas and the queue")).replace("churn-b", run_id)
        stage.service.submit(parse_submission(json.loads(text), ALLOWLIST))
    elif happens.startswith("done"):
        stage.jobs.becomes(f"{run_id}-relay-01", "Completed", "Completed")
        stage.service.advance(run_id, JobChanged(1, "Completed", "Completed", stage.clock()))
    else:
        assert stage.wakeups.woken.pop(0) == run_id
        stage.service.advance(run_id, RoomFreed())


def test_runs_wait_for_a_full_quota_by_age_and_wake_each_other() -> None:
    stage = Stage()
    check_queue(stage, tables("Quotas and the queue")[0])
    assert stage.live_jobs() == ["churn-b-relay-01"]
    assert stage.run("churn-c").status == "Pending"


def test_the_stacks_own_limits_queue_runs_too() -> None:
    stage = Stage()
    [text] = re.findall(r'AttemptLimits="(.*?)"', PAGE)
    stage.slots.limits = Limits.parse(text)
    check_queue(stage, tables("Quotas and the queue")[1])
    assert stage.run("churn-c").waits_for is not None


def with_a_deadline(title: str = "Deadline", nth: int = 0, **policy: Any) -> Stage:
    """The beginning that all stories of the deadline share: trained for six hours, taken away, then on demand."""
    stage = under_way(title, nth, **policy)
    stage.acts = {
        "2:00": stage.moves(1, "Downloading"),
        "2:05": stage.moves(1, "Training"),
        "8:15": stage.moves(1, "Interrupted"),
        "25:31": stage.moves(1, "Stopped", "Stopped"),
        "25:35": stage.moves(2, "Training"),
    }
    return stage


def the_deadlines_story() -> Stage:
    stage = with_a_deadline()
    stage.acts |= {
        "30:00": lambda: stage.canary_tells(2, "InProgress", "Downloading"),
        "30:02": stage.moves(2, "Stopped", "Stopped"),
        "30:04": stage.moves(3, "Downloading"),
        "30:09": stage.moves(3, "Training"),
        "44:09": stage.moves(3, "Completed", "Completed"),
    }
    return stage


def test_the_deadline_moves_a_run_hour_by_hour_as_told() -> None:
    stage = the_deadlines_story()
    table = tables("Hour by hour")[0]
    check(stage, table)
    assert not stage.acts
    assert stage.run().status == "Completed"
    assert stage.jobs.requests[0]["StoppingCondition"]["MaxWaitTimeInSeconds"] == 172_800
    assert stage.run().changeovers[0] == 900
    assert stage.jobs.stopped == ["churn-relay-01", "churn-relay-02", "churn-canary-02"]
    assert [r["TrainingJobName"] for r in stage.jobs.requests][-2:] == ["churn-canary-02", "churn-relay-03"]
    lost = status_document(stage.run(), REGION)["wasted_seconds"]
    assert says(f"{lost:,} s of training were lost (`wasted_seconds`)")
    assert [a.cause for a in stage.run().attempts] == ["Submitted", "BehindPace", "AheadOfPace"]


def test_the_decisions_shown_are_those_of_the_deadlines_story() -> None:
    stage = the_deadlines_story()
    stage.play("44:09")
    shown, kept = json.loads(blocks("json", "Why it did that")[0]), status_document(stage.run(), REGION)["decisions"]
    assert shown in [kept[n : n + len(shown)] for n in range(len(kept))]


def test_the_rules_numbers_are_those_of_the_example() -> None:
    run = accept(spec("Deadline"), "one", NOON)
    begun = standing_of(run, NOON)
    assert begun is not None
    assert (begun.pace, begun.changeover, begun.reserve, begun.hysteresis) == (0.8, 600, 25 * 60, 0)
    # After the interruption: 2 x 15 and 5 minutes, so the pace comes first while C is above four times that.
    later = Standing(work=0, time=0, changeover=900, reserve=35 * 60, pace=0.8, hysteresis=0)
    for work, first in ((8400 + 60, Cause.BEHIND_PACE), (8400 - 60, Cause.SAFETY_NET)):
        moment = max(work / later.pace, work + later.reserve)
        assert Standing(work, moment, 900, 35 * 60, 0.8, 0).demand(3600) is first


def test_without_any_capacity_a_run_goes_on_demand_at_its_pace_and_is_done_in_time() -> None:
    stage = under_way("Deadline", return_to_spot="never")
    stage.acts = {"18:01": stage.moves(1, "Stopped", "Stopped"), "18:06": stage.moves(2, "Training")}
    stage.play("17:59")
    assert stage.jobs.stopped == []
    stage.play("18:00")
    assert stage.jobs.stopped == ["churn-relay-01"]
    stage.acts["42:06"] = stage.moves(2, "Completed", "Completed")
    stage.play("42:05")
    assert stage.live_jobs() == ["churn-relay-02"]
    stage.play("42:06")
    assert (stage.run().status, len(stage.run().attempts)) == ("Completed", 2)
    assert says("the pace fires at R = 24 h / 0.8 = 30 h: 18:00 after the submission. The run is done at 42:06")


def test_a_tight_deadline_sends_a_run_on_demand_after_five_minutes_or_at_once() -> None:
    assert says("with `deadline: PT26H`")
    tight = under_way("Deadline", deadline="PT26H")
    tight.play("0:04")
    assert tight.jobs.stopped == []
    tight.play("0:05")
    assert tight.run().current.switch_to is Market.ON_DEMAND
    assert says("With `deadline: PT24H20M`")
    first = under_way("Deadline", deadline="PT24H20M").run().current
    assert (first.placement.market, first.cause) == (Market.ON_DEMAND, "SafetyNet")


def test_a_deadline_that_is_too_early_is_refused_with_the_words_shown() -> None:
    with pytest.raises(InvalidSpecError) as refused:
        spec("Deadline", deadline="PT24H")
    assert says(refused.value.problems[0].message)
    with pytest.raises(UnacceptableError) as late:
        under_way("Deadline", deadline="2026-11-24T12:00:00Z")
    assert says(late.value.details[0]["message"])
    assert under_way("Deadline", deadline="PT24H10M").live_jobs() == ["churn-relay-01"]


def test_a_blind_return_waits_for_spot_and_is_sent_back_by_the_pace() -> None:
    stage = with_a_deadline("The way back")
    stage.acts["27:07"] = stage.moves(2, "Stopped", "Stopped")
    check(stage, tables("The way back")[1])
    assert not stage.acts
    assert stage.run().canaries == ()


def priced(**budgets: Any) -> Stage:
    """The story of the money, with the prices of the page."""
    [text] = [block for block in blocks("json", "Money") if "prices" in block]
    policy: dict[str, Any] = {"budgets": budgets} if budgets else {}
    stage = Stage()
    stage.prices.prices = PriceList("s3://my-training-bucket/prices.json", NOON, read_prices(text))
    stage.service.submit(spec("Money", 0, **policy))
    stage.acts = {
        "0:10": stage.moves(1, "Downloading"),
        "0:15": stage.moves(1, "Training"),
        "5:10": stage.moves(1, "Interrupted"),
        "6:00": stage.moves(1, "MaxWaitTimeExceeded", "Stopped", training_seconds=18_000, billable_seconds=5760),
        "6:05": stage.moves(2, "Training"),
        "8:35": stage.moves(2, "Completed", "Completed", training_seconds=9000, billable_seconds=9000),
    }
    return stage


def test_money_is_counted_as_told() -> None:
    stage = priced()
    check(stage, tables("Money")[0])
    assert not stage.acts
    assert {"cost_usd", "on_demand_cost_usd"} <= set(summarise(stage.run()))
    assert not {"wasted_usd", "prices"} & set(summarise(stage.run()))


def test_a_money_budget_is_held_at_the_submission_and_before_each_launch() -> None:
    with pytest.raises(UnacceptableError) as refused:
        priced(money_usd=8)
    assert says(refused.value.details[0]["message"])
    stage = priced(money_usd=10)
    stage.play("6:00")
    assert stage.run().status == "Failed"
    assert says(stage.run().reason.partition("). ")[2])
    stage.service.resume("churn", read_resumption(b'{"budgets": {"money_usd": 12}}'))
    stage.play("8:35")
    assert (stage.run().status, status_document(stage.run(), REGION)["cost_usd"]) == ("Completed", 6.15)
