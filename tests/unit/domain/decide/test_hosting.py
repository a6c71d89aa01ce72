"""What follows each answer of SageMaker about a run's model: the whole decision, answer by answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.hosting import follow_answer, follow_due, follow_event
from spot_relay.domain.decide.steps import Decision
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.hosting import (
    Endpoint,
    HostingKind,
    HostingStatus,
    HostingStep,
    HostingTask,
    Made,
    NoEndpoint,
    OnSuccess,
    Unmade,
)
from spot_relay.domain.run.observation import Due, EndpointChanged, HostingAnswered
from spot_relay.domain.run.outbox import Measure, Outbox
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market
from tests.fakes import NOON
from tests.unit.hosted import BOTH, DEPLOYMENT, REGISTRATION
from tests.unit.worlds import submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

REGISTER, DEPLOY = HostingKind.REGISTER_MODEL, HostingKind.DEPLOY
OURS, BEFORE = "churn-relay-01", "churn-relay-00"
ARN = "arn:aws:sagemaker:us-east-1:111122223333:endpoint/churn-live"
BEGAN = NOON + timedelta(hours=1)
SINCE = BEGAN + timedelta(minutes=1)
NOW = BEGAN + timedelta(minutes=10)
EVERY = timedelta(minutes=5)
FACTS = Facts(EndpointChanged(), draw=0.5, check_every=EVERY)
SECONDS = timedelta(seconds=1)
# What is owed for the next call, and when the tick makes it if nobody else has.
SOON = NOW + 90 * SECONDS
TELLS = Outbox(status=True)
FAILS = Outbox(status=True, measures=(Measure("HostingFailed", 1, Market.SPOT, "ml.m5.xlarge"),))
SUCCEEDS = Outbox(status=True, measures=(Measure("HostingSucceeded", 1, Market.SPOT, "ml.m5.xlarge"),))
FAILED: dict[str, Any] = {"status": HostingStatus.FAILED, "check_at": None, "settled_at": NOW}
SUCCEEDED: dict[str, Any] = {"status": HostingStatus.SUCCEEDED, "check_at": None, "settled_at": NOW}
IS_IN_SERVICE = "The endpoint churn-live is in service with the model churn-relay-01."
ROLLED_BACK = (
    "The update of the endpoint churn-live has failed, and SageMaker has rolled it back to churn-relay-00. The "
    "endpoint's log and its events say why."
)
FOREIGN = (
    "There is an endpoint churn-live that Spot Relay has not created, and it updates no other. Use another name, or "
    "tag that endpoint with spot-relay:run-id if it may be updated."
)


def a_task(step: HostingStep, kind: HostingKind = DEPLOY, **changes: Any) -> HostingTask:
    known = HostingTask(kind, step, HostingStatus.IN_PROGRESS, "So far, so good.", BEGAN, SINCE, NOW + SECONDS)
    return replace(known, **changes)


def owes_calls(*kinds: HostingKind) -> Outbox:
    return Outbox(host=kinds)


def a_run(*tasks: HostingTask) -> Run:
    """A run that has completed, with what is being done with its model."""
    run = accept(replace(submission(), on_success=BOTH), "one", NOON)
    completed = replace(run.current, status=AttemptStatus.ENDED, model_artifacts="s3://models/model.tar.gz")
    return replace(run.with_attempt(completed), status=RunStatus.COMPLETED, outbox=Outbox(), hosting=tasks)


def at(deployment: HostingTask, registration: HostingTask | None = None) -> Run:
    """The run, so far with its tasks."""
    return a_run(registration or a_task(HostingStep.MODEL_PACKAGE, REGISTER), deployment)


def seen(status: str, config: str = OURS, **changes: Any) -> Endpoint:
    known = Endpoint(ARN, status, config, modified_at=SINCE, is_ours=True)
    return replace(known, **changes)


def answered(run: Run, answer: Any, facts: Facts = FACTS, now: Any = NOW) -> Decision:
    """What follows the answer to the call that the deployment is at."""
    return follow_answer(run, HostingAnswered(DEPLOY, run.hosting[1].step, answer), facts, now)


def decided(run: Run, owes: Outbox, reason: str, **changes: Any) -> Decision:
    """The decision that changes the deployment so, and nothing else."""
    registration, deployment = run.hosting
    changed = replace(deployment, reason=reason, **changes)
    return Decision(replace(run, updated_at=NOW, hosting=(registration, changed)), owes, reason)


CALLS = [
    (
        a_task(HostingStep.MODEL),
        Made("arn:model"),
        (owes_calls(DEPLOY), "Model churn-relay-01 exists."),
        {"step": HostingStep.ENDPOINT_CONFIG, "since": NOW, "check_at": SOON},
    ),
    (
        a_task(HostingStep.ENDPOINT_CONFIG),
        Made("arn:config"),
        (owes_calls(DEPLOY), "EndpointConfig churn-relay-01 exists."),
        {"step": HostingStep.LOOK, "since": NOW, "check_at": SOON},
    ),
    (
        a_task(HostingStep.ENDPOINT),
        Made(ARN),
        (TELLS, "The endpoint churn-live is being created."),
        {"step": HostingStep.FOLLOW, "since": NOW, "check_at": NOW + EVERY, "arn": ARN},
    ),
    (
        a_task(HostingStep.ENDPOINT_UPDATE),
        Made(ARN),
        (TELLS, "The endpoint churn-live is being updated."),
        {"step": HostingStep.FOLLOW, "since": NOW, "check_at": NOW + EVERY, "arn": ARN},
    ),
    (
        a_task(HostingStep.MODEL),
        Unmade("No such role", passes=False),
        (FAILS, "No such role."),
        FAILED,
    ),
    (
        a_task(HostingStep.MODEL),
        Unmade("There is one", passes=False, is_taken=True),
        (FAILS, "There is one."),
        FAILED,
    ),
    (
        a_task(HostingStep.MODEL, tries=1),
        Unmade("Rate exceeded", passes=True),
        # Between half of 20 s and all of them.
        (TELLS, "Rate exceeded. Trying again."),
        {"tries": 2, "check_at": NOW + 15 * SECONDS},
    ),
    (
        a_task(HostingStep.LOOK),
        Unmade("Rate exceeded", passes=True),
        (TELLS, "Rate exceeded. Trying again."),
        {"tries": 1, "check_at": NOW + 7.5 * SECONDS},
    ),
    # Both may have taken effect, so the endpoint is looked at before anything is asked of it again.
    *(
        (
            a_task(step),
            answer,
            (TELLS, "It is said so. Trying again."),
            {"step": HostingStep.LOOK, "since": NOW, "tries": 1, "check_at": NOW + 7.5 * SECONDS},
        )
        for step in (HostingStep.ENDPOINT, HostingStep.ENDPOINT_UPDATE)
        for answer in (
            Unmade("It is said so", passes=True),
            Unmade("It is said so", passes=False, is_taken=True),
        )
    ),
    (
        a_task(HostingStep.ENDPOINT),
        Unmade("No such role", passes=False),
        (FAILS, "No such role."),
        FAILED,
    ),
    (
        a_task(HostingStep.MODEL, tries=18),
        Unmade("Rate exceeded", passes=True),
        # The longest wait is 15 minutes.
        (TELLS, "Rate exceeded. Trying again."),
        {"tries": 19, "check_at": NOW + 675 * SECONDS},
    ),
    (
        a_task(HostingStep.MODEL, tries=19),
        Unmade("Rate exceeded", passes=True),
        (FAILS, "Rate exceeded. Giving up after 20 tries."),
        FAILED,
    ),
    (
        a_task(HostingStep.LOOK),
        NoEndpoint(),
        (owes_calls(DEPLOY), "There is no endpoint churn-live yet. Creating it."),
        {"step": HostingStep.ENDPOINT, "since": NOW, "check_at": SOON},
    ),
    (
        a_task(HostingStep.FOLLOW, since=NOW - 299 * SECONDS),
        NoEndpoint(),
        (TELLS, "The endpoint churn-live is not visible yet."),
        {"check_at": NOW + 30 * SECONDS},
    ),
    (
        a_task(HostingStep.FOLLOW, since=NOW - 300 * SECONDS),
        NoEndpoint(),
        (FAILS, "The endpoint churn-live has been deleted."),
        FAILED,
    ),
]
ENDPOINTS = [
    *(
        (a_task(step), seen(status), (SUCCEEDS, IS_IN_SERVICE), SUCCEEDED)
        for step in (HostingStep.LOOK, HostingStep.FOLLOW)
        for status in ("InService", "Updating", "SystemUpdating", "RollingBack")
    ),
    (
        a_task(HostingStep.LOOK),
        seen("InService", BEFORE, is_ours=False),
        (FAILS, FOREIGN),
        FAILED,
    ),
    (
        a_task(HostingStep.LOOK),
        seen("InService", is_ours=False),
        (FAILS, FOREIGN),
        FAILED,
    ),
    (
        a_task(HostingStep.FOLLOW),
        seen("InService", is_ours=False),
        (SUCCEEDS, IS_IN_SERVICE),
        SUCCEEDED,
    ),
    (
        a_task(HostingStep.FOLLOW),
        seen("Failed", failure_reason="No image"),
        (FAILS, "The endpoint churn-live has failed: No image. A failed endpoint can only be deleted."),
        FAILED,
    ),
    (
        a_task(HostingStep.LOOK),
        seen("Failed", BEFORE),
        (
            FAILS,
            "The endpoint churn-live has failed: SageMaker gives no reason. A failed endpoint can only be deleted.",
        ),
        FAILED,
    ),
    (
        a_task(HostingStep.FOLLOW),
        seen("OutOfService"),
        (FAILS, "The endpoint churn-live is OutOfService, and can't be updated."),
        FAILED,
    ),
    # Our own deployment is followed from when it is seen; another one has to end first.
    *(
        (
            a_task(HostingStep.LOOK),
            found,
            (TELLS, f"The endpoint churn-live is {found.status}."),
            {"step": HostingStep.FOLLOW, "since": NOW, "check_at": NOW + EVERY},
        )
        for found in (seen("Creating"), seen("Updating", BEFORE, pending_config_name=OURS), seen("Deleting"))
    ),
    *(
        (
            a_task(HostingStep.LOOK),
            found,
            (TELLS, f"The endpoint churn-live is {found.status} with another configuration."),
            {"check_at": NOW + EVERY},
        )
        for found in (
            seen("Creating", BEFORE),
            seen("SystemUpdating", BEFORE),
            seen("RollingBack", BEFORE, pending_config_name="another"),
        )
    ),
    *(
        (
            a_task(HostingStep.FOLLOW),
            seen("Updating", BEFORE, pending_config_name=pending),
            (TELLS, "The endpoint churn-live is Updating."),
            {"check_at": NOW + EVERY},
        )
        for pending in (OURS, "another")
    ),
    (
        a_task(HostingStep.FOLLOW, began_at=NOW - timedelta(hours=24) + SECONDS),
        seen("Creating"),
        (TELLS, "The endpoint churn-live is Creating."),
        {"check_at": NOW + EVERY},
    ),
    (
        a_task(HostingStep.FOLLOW, began_at=NOW - timedelta(hours=24)),
        seen("Creating"),
        (FAILS, "The endpoint churn-live is Creating. Giving up after 24 hours."),
        FAILED,
    ),
    (
        a_task(HostingStep.LOOK),
        seen("InService", BEFORE),
        (owes_calls(DEPLOY), "The endpoint churn-live serves churn-relay-00. Updating it."),
        {
            "step": HostingStep.ENDPOINT_UPDATE,
            "since": NOW,
            "check_at": SOON,
            "replaces": BEFORE,
            "replaces_since": SINCE,
        },
    ),
    # The update was not answered, and an old description may show what was there before it.
    (
        a_task(HostingStep.LOOK, replaces=BEFORE, replaces_since=SINCE),
        seen("InService", BEFORE),
        (owes_calls(DEPLOY), "The endpoint churn-live serves churn-relay-00. Updating it."),
        {"step": HostingStep.ENDPOINT_UPDATE, "since": NOW, "check_at": SOON},
    ),
    (
        a_task(HostingStep.LOOK, replaces=BEFORE, replaces_since=SINCE),
        seen("InService", BEFORE, modified_at=SINCE + SECONDS),
        (FAILS, ROLLED_BACK),
        FAILED,
    ),
    (
        a_task(HostingStep.LOOK, replaces="an older one", replaces_since=SINCE),
        seen("InService", BEFORE, modified_at=SINCE + SECONDS),
        (owes_calls(DEPLOY), "The endpoint churn-live serves churn-relay-00. Updating it."),
        {
            "step": HostingStep.ENDPOINT_UPDATE,
            "since": NOW,
            "check_at": SOON,
            "replaces": BEFORE,
            "replaces_since": SINCE + SECONDS,
        },
    ),
    (
        a_task(HostingStep.FOLLOW, replaces=BEFORE, replaces_since=SINCE),
        seen("InService", BEFORE, modified_at=SINCE + SECONDS),
        (FAILS, ROLLED_BACK),
        FAILED,
    ),
    (
        a_task(HostingStep.FOLLOW, replaces=BEFORE, replaces_since=SINCE),
        seen("InService", BEFORE),
        (TELLS, "The endpoint churn-live does not show its update yet."),
        {"check_at": NOW + EVERY},
    ),
    (
        a_task(HostingStep.FOLLOW, replaces=BEFORE, replaces_since=SINCE),
        seen("InService", "another", modified_at=SINCE + SECONDS),
        (FAILS, "The endpoint churn-live was updated to another in the meantime."),
        FAILED,
    ),
]


@pytest.mark.parametrize(("task", "answer", "said", "changes"), CALLS)
def test_each_answer_to_a_call_leads_to_the_next_step_to_another_try_or_to_an_end(
    task: HostingTask, answer: Any, said: tuple[Outbox, str], changes: dict[str, Any]
) -> None:
    run = at(task)
    assert answered(run, answer) == decided(run, *said, **changes)


@pytest.mark.parametrize(("task", "found", "said", "changes"), ENDPOINTS)
def test_what_follows_a_look_depends_on_what_the_endpoint_serves_and_is_about_to_serve(
    task: HostingTask, found: Endpoint, said: tuple[Outbox, str], changes: dict[str, Any]
) -> None:
    run = at(task)
    assert answered(run, found) == decided(run, *said, arn=ARN, **changes)


def test_a_model_that_is_registered_needs_nothing_more() -> None:
    registration, deployment = a_task(HostingStep.MODEL_PACKAGE, REGISTER), a_task(HostingStep.LOOK)
    run = at(deployment, registration)
    made = HostingAnswered(REGISTER, HostingStep.MODEL_PACKAGE, Made("arn:package"))
    reason = "The model is registered as arn:package."
    after = replace(registration, arn="arn:package", reason=reason, **SUCCEEDED)
    expected = Decision(replace(run, updated_at=NOW, hosting=(after, deployment)), SUCCEEDS, reason)
    assert follow_answer(run, made, FACTS, NOW) == expected


@pytest.mark.parametrize(
    ("task", "answer", "check_every", "seconds"),
    [
        (a_task(HostingStep.FOLLOW, since=NOW), NoEndpoint(), 10, 10),
        (a_task(HostingStep.FOLLOW, since=NOW), NoEndpoint(), 600, 30),
        (a_task(HostingStep.FOLLOW), seen("Creating"), 60, 60),
        (a_task(HostingStep.ENDPOINT), Made(ARN), 60, 60),
    ],
)
def test_an_endpoint_is_looked_at_as_often_as_jobs_are_and_soon_if_it_is_not_visible_yet(
    task: HostingTask, answer: Any, check_every: int, seconds: int
) -> None:
    facts = replace(FACTS, check_every=check_every * SECONDS)
    after = answered(at(task), answer, facts).run.hosting[1]
    assert after.check_at == NOW + seconds * SECONDS


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 5), (0.999, 9.995)])
def test_two_deployments_that_are_refused_together_are_not_tried_again_together(draw: float, seconds: float) -> None:
    run = at(a_task(HostingStep.MODEL))
    after = answered(run, Unmade("Rate exceeded", passes=True), replace(FACTS, draw=draw)).run.hosting[1]
    assert after.check_at == NOW + seconds * SECONDS


def test_a_look_that_shows_nothing_new_is_saved_and_told_to_nobody() -> None:
    known = "The endpoint churn-live is Creating."
    run = at(a_task(HostingStep.FOLLOW, reason=known))
    assert answered(run, seen("Creating")) == decided(run, Outbox(), known, arn=ARN, check_at=NOW + EVERY)


@pytest.mark.parametrize(
    ("deployment", "answer"),
    [
        (a_task(HostingStep.LOOK), HostingAnswered(DEPLOY, HostingStep.FOLLOW, NoEndpoint())),
        (
            a_task(HostingStep.FOLLOW, status=HostingStatus.FAILED),
            HostingAnswered(DEPLOY, HostingStep.FOLLOW, NoEndpoint()),
        ),
        (None, HostingAnswered(DEPLOY, HostingStep.FOLLOW, NoEndpoint())),
    ],
    ids=["of another step", "of a settled task", "of no task"],
)
def test_an_answer_that_nothing_waits_for_changes_nothing(
    deployment: HostingTask | None, answer: HostingAnswered
) -> None:
    registration = a_task(HostingStep.MODEL_PACKAGE, REGISTER)
    run = a_run(registration, *([deployment] if deployment else []))
    reason = "The answer to Follow is no longer waited for."
    assert follow_answer(run, answer, FACTS, NOW) == Decision(run, Outbox(), reason)


@pytest.mark.parametrize(
    ("step", "answer", "reason"),
    [
        (HostingStep.MODEL, Unmade("It is {secret}.", passes=False), "It is [hidden]."),
        (
            HostingStep.FOLLOW,
            seen("Failed", failure_reason="It is {secret}"),
            "The endpoint churn-live has failed: It is [hidden]. A failed endpoint can only be deleted.",
        ),
    ],
)
@pytest.mark.parametrize("secret", ["very-secret", "register-it", "deployment-key"])
def test_no_secret_of_the_training_the_registration_or_the_deployment_is_told(
    step: HostingStep, answer: Any, reason: str, secret: str
) -> None:
    wanted = OnSuccess(
        replace(REGISTRATION, environment={"KEY": "register-it"}),
        replace(DEPLOYMENT, environment={"KEY": "deployment-key"}),
    )
    run = replace(at(a_task(step)), on_success=wanted)
    field = "because" if isinstance(answer, Unmade) else "failure_reason"
    told = replace(answer, **{field: getattr(answer, field).format(secret=secret)})
    assert answered(run, told).reason == reason


def test_a_run_that_only_deploys_its_model_may_be_told_of_a_refusal() -> None:
    run = replace(at(a_task(HostingStep.MODEL)), on_success=OnSuccess(deploy=DEPLOYMENT))
    assert answered(run, Unmade("It is very-secret", passes=False)).reason == "It is [hidden]."


LONG = "x" * 5000
CUT_ARN = f"{'x' * 1021}…"


@pytest.mark.parametrize(
    ("kind", "step", "answer", "arn", "reason"),
    [
        (REGISTER, HostingStep.MODEL_PACKAGE, Made(LONG), CUT_ARN, f"The model is registered as {CUT_ARN}."),
        (DEPLOY, HostingStep.ENDPOINT, Made(LONG), CUT_ARN, "The endpoint churn-live is being created."),
        (DEPLOY, HostingStep.LOOK, replace(seen("InService"), arn=LONG), CUT_ARN, IS_IN_SERVICE),
        (
            DEPLOY,
            HostingStep.FOLLOW,
            seen(LONG),
            ARN,
            f"The endpoint churn-live is {'x' * 61}…, and can't be updated.",
        ),
        (
            DEPLOY,
            HostingStep.LOOK,
            seen("InService", LONG),
            ARN,
            f"The endpoint churn-live serves {'x' * 253}…. Updating it.",
        ),
        (DEPLOY, HostingStep.MODEL, Unmade(LONG, passes=True), None, f"{CUT_ARN} Trying again."),
    ],
)
def test_what_sagemaker_says_is_stored_and_told_shortened(
    kind: HostingKind, step: HostingStep, answer: Any, arn: str | None, reason: str
) -> None:
    run = a_run(a_task(step, kind))
    decision = follow_answer(run, HostingAnswered(kind, step, answer), FACTS, NOW)
    (after,) = decision.run.hosting
    assert (after.arn, after.reason, decision.reason) == (arn, reason, reason)


def test_a_task_that_is_due_owes_its_next_call_and_the_tick_makes_it_if_nobody_does() -> None:
    registration = a_task(HostingStep.MODEL_PACKAGE, REGISTER, check_at=NOW)
    deployment = a_task(HostingStep.LOOK, check_at=NOW + SECONDS)
    run = at(deployment, registration)
    called = replace(registration, check_at=SOON)
    first = Decision(
        replace(run, updated_at=NOW, hosting=(called, deployment)),
        owes_calls(REGISTER),
        "Going on with register_model.",
    )
    assert follow_due(run, NOW) == first
    later = NOW + SECONDS
    both = tuple(replace(task, check_at=SOON + SECONDS) for task in run.hosting)
    assert follow_due(run, later) == Decision(
        replace(run, updated_at=later, hosting=both),
        owes_calls(REGISTER, DEPLOY),
        "Going on with register_model and deploy.",
    )
    early = NOW - SECONDS
    assert follow_due(run, early) == Decision(run, Outbox(), "The run has ended, so nothing is due.")


@pytest.mark.parametrize("step", [HostingStep.LOOK, HostingStep.FOLLOW])
def test_an_endpoint_that_has_changed_is_looked_at_at_once(step: HostingStep) -> None:
    run = at(a_task(step))
    reason = "The endpoint has changed. Looking at it."
    registration, deployment = run.hosting
    after = replace(run, updated_at=NOW, hosting=(registration, replace(deployment, check_at=SOON)))
    assert follow_event(run, NOW) == Decision(after, owes_calls(DEPLOY), reason)


@pytest.mark.parametrize(
    "deployment",
    [a_task(HostingStep.MODEL), a_task(HostingStep.FOLLOW, status=HostingStatus.SUCCEEDED), None],
    ids=["not created yet", "settled", "none"],
)
def test_an_endpoint_that_changes_while_no_deployment_looks_at_it_is_left_alone(deployment: HostingTask | None) -> None:
    registration = a_task(HostingStep.MODEL_PACKAGE, REGISTER)
    run = a_run(registration, *([deployment] if deployment else []))
    assert follow_event(run, NOW) == Decision(run, Outbox(), "The run is not waiting for an endpoint.")


@pytest.mark.parametrize(
    ("observation", "owes", "told"),
    [
        (Due(), owes_calls(DEPLOY), "Going on with deploy."),
        (EndpointChanged(), owes_calls(DEPLOY), "The endpoint has changed. Looking at it."),
        (
            HostingAnswered(DEPLOY, HostingStep.FOLLOW, seen("Creating")),
            TELLS,
            "The endpoint churn-live is Creating.",
        ),
    ],
)
def test_all_that_reaches_a_run_with_a_model_leads_to_one_of_these(observation: Any, owes: Outbox, told: str) -> None:
    run = a_run(a_task(HostingStep.FOLLOW, check_at=NOW))
    decision = decide(run, replace(FACTS, observation=observation), NOW)
    assert (decision.owes, decision.reason) == (owes, told)
