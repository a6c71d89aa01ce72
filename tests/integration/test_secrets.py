"""No value that may be a secret reaches a log line, an event, a report or a text of SageMaker's.

The status document and the API show the training job as it was submitted, without the values that look like secrets.
"""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from spot_relay.service import Service
from tests.hostile.mutation import Choices, encoded, mutated
from tests.integration.stack import SPEC, TABLE, body_of, document, messages, spec
from tests.thoroughness import share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.stack import Stack

# Each has the word that is looked for in every part of it that could stand alone.
PLAIN = "hunter2-plain-value"
QUOTED = json.dumps("hunter2-quoted")
NESTED = json.dumps({"db": {"password": "hunter2-nested", "hosts": ["hunter2-host-1"]}})
UNICODE = "hunter2-zażółć-gęślą-\N{GRINNING FACE}"
MARKS = "hunter2-\"double\"-'single'-\\back"
LONG = "hunter2-" + "hunter2." * 300
LINES = "-----BEGIN PRIVATE KEY-----\nhunter2-first-line\nhunter2-second\n-----END PRIVATE KEY-----"
HOOK = "https://hooks.slack.com/services/T00/hunter2-hook"
SECRETS: dict[str, dict[str, str]] = {
    "HyperParameters": {"api_key": PLAIN, "db_password": QUOTED, "nested": NESTED, "long_token": LONG},
    "Environment": {"API_TOKEN": UNICODE, "CLIENT_SECRET": MARKS, "LINES": LINES, "HOOK": HOOK},
}
ARGUMENTS = SPEC["training_job"]["AlgorithmSpecification"] | {"ContainerArguments": ["--token", "hunter2-argument"]}
ECHOES = {
    "plain": f"KeyError: '{PLAIN}'",
    "decoded": "no such user: hunter2-quoted",
    "quoted": f"bad value {QUOTED}",
    "nested": "cannot reach hunter2-host-1 with hunter2-nested",
    "unicode": f"UnicodeError: {UNICODE}",
    "escaped": f"UnicodeError: {json.dumps(UNICODE)}",
    "marks": f"ValueError: {MARKS!r} and {json.dumps(MARKS)}",
    "lines": f"ValueError: {LINES!r}",
    "one line": "PEM has no hunter2-second",
    "many": f"{PLAIN} {UNICODE} {LONG} {json.dumps(SECRETS['HyperParameters'])} {SECRETS!r}",
    "cut": "x" * 980 + f" {PLAIN}"[:12],
    "cut in a long one": "told " + LONG[:900],
    "cut within": f"input_value='{LONG[:20]}...{LONG[-20:]}', and {PLAIN[:-3]}...",
    "argument": 'Command "train --token hunter2-argument", exit code: 1',
    "address": "Max retries exceeded with url: /services/T00/hunter2-hook",
}


class Witness:
    """Gathers everything that a stack shows to anyone."""

    def __init__(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        self._stack, self._capsys = stack, capsys
        self.announced: list[str] = []
        self.answers: list[str] = []

    def announce(self, params: dict[str, Any], **_: Any) -> None:
        """Record the events that are put on the event bus."""
        self.announced.append(json.dumps(params["Entries"], ensure_ascii=False))

    def call(self, name: str, body: Any = None, **changes: Any) -> int:
        """Call the API and note what it answers."""
        code, told = self._stack.call(name, body, **changes)
        self.answers.append(json.dumps(told, ensure_ascii=False))
        return code

    def told(self) -> str:
        """Return everything: logs, documents, reports, events, messages and answers."""
        printed = self._capsys.readouterr()
        keys = [key for prefix in ("errors/", "status/") for key in self._stack.keys(prefix)]
        documents = [json.dumps(self._stack.object(key), ensure_ascii=False) for key in keys]
        waiting = self._stack.queued() if self._stack.has_queue else []
        return "\n".join([printed.out, printed.err, *documents, *self.announced, *self.answers, *waiting])


@pytest.fixture
def witness(stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Witness]:
    """Whoever looks, at a stack that tells as much as its operator can make it tell."""
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    witness, events = Witness(stack, capsys), stack.client("events").meta.events
    events.register("before-parameter-build.events.PutEvents", witness.announce)
    yield witness
    events.unregister("before-parameter-build.events.PutEvents", witness.announce)


def secret(**changes: Any) -> dict[str, Any]:
    """The spec of the story, with secrets."""
    given = SECRETS | {"AlgorithmSpecification": ARGUMENTS} | changes
    return spec(**given) | {"policy": {"backoff": {"base_seconds": 1, "max_seconds": 1}}}


def check(witness: Witness, said: str = "") -> None:
    """Something was told, and no secret."""
    told = witness.told()
    assert said in told
    assert "hunter2" not in told


def test_the_secrets_are_handed_to_sagemaker_as_they_were_given(stack: Stack, witness: Witness) -> None:
    stack.invoke("submit", stack.upload(json.dumps(secret())))
    described = stack.client("sagemaker").describe_training_job(TrainingJobName="churn-relay-01")
    assert {key: described[key] for key in SECRETS} == SECRETS
    check(witness, "Created churn-relay-01")


@pytest.mark.parametrize(
    ("kind", "echo"),
    share(
        [
            *(("AlgorithmError", echo) for echo in ECHOES),
            *((kind, "many") for kind in ("CapacityError", "InternalServerError", "SomethingNew")),
        ]
    ),
)
def test_a_training_that_prints_its_secrets_when_it_fails(stack: Stack, witness: Witness, kind: str, echo: str) -> None:
    reason = f"{kind}: {ECHOES[echo]}"[:1024]
    stack.aws.simulator.play(default={"fail": {"reason": reason, "phase": "Training"}, "train_seconds": 10})
    stack.invoke("submit", stack.upload(json.dumps(secret())))
    stack.checkpoint()
    stack.clock.passes(100)
    stack.observe("algorithm-error")
    for _ in range(3):
        stack.clock.passes(100)
        stack.tick()
    for name in ("get-run", "list-runs", "stop-run", "resume-run", "get-run"):
        witness.call(name, query={} if name == "list-runs" else None)
    told = witness.told()
    assert "hunter2" not in told
    assert "[hidden]" in told
    assert kind in told


REFUSALS: dict[str, dict[str, Any]] = {
    "invalid": {"code": "ValidationException", "message": f"1 validation error: Value '{{api_key={PLAIN}}}' at 'h'"},
    "denied": {"code": "AccessDeniedException", "message": f"User: x is not authorized for {UNICODE}"},
    "quota": {"code": "ResourceLimitExceeded", "message": f"{PLAIN}: a limit of tomorrow"},
    "throttled": {"code": "ThrottlingException", "message": f"Rate exceeded {LONG}"},
    "unavailable": {"code": "InternalFailure", "http_status": 500, "message": f"{SECRETS!r}"},
    "unheard of": {"code": "SerializationException", "message": f"cannot read {MARKS} {json.dumps(LINES)}"},
}


@pytest.mark.parametrize(("door", "refusal"), share(list(product(["submit", "api", "observe"], REFUSALS))))
def test_a_launch_that_is_refused_with_the_request_quoted(
    stack: Stack, witness: Witness, refusal: str, door: str
) -> None:
    error = {"operation": "CreateTrainingJob", "times": None, **REFUSALS[refusal]}
    name = "churn-relay-02" if door == "observe" else "*"
    rules = [{"name": name, "errors": [error]}, {"name": "*", "capacity": {"after": None}}]
    stack.aws.simulator.play(rules=rules)
    if door == "api":
        witness.call("create-run", secret())
    else:
        stack.invoke("submit", stack.upload(json.dumps(secret())))
    if door == "observe":
        stack.clock.passes(7205)
        stack.invoke("observe", document("observe/max-wait-expired"))
    witness.call("get-run")
    told = witness.told()
    assert "hunter2" not in told
    assert "[hidden]" in told
    assert REFUSALS[refusal]["code"] in told or "create churn-relay-0" in told or "has no room" in told


def test_a_table_that_is_gone(stack: Stack, witness: Witness) -> None:
    event = stack.upload(json.dumps(secret()))
    stack.client("dynamodb").delete_table(TableName=TABLE)
    assert stack.invoke("submit", event) == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert witness.call("create-run", secret()) == 500
    check(witness, "Traceback")


def test_a_job_that_cannot_be_described(stack: Stack, witness: Witness) -> None:
    denied = {"operation": "DescribeTrainingJob", "code": "AccessDeniedException", "times": None}
    stack.aws.simulator.play(default={"errors": [denied]})
    stack.invoke("submit", stack.upload(json.dumps(secret())))
    assert not stack.invoke("observe", document("observe/max-wait-expired"))["batchItemFailures"]
    check(witness, "AccessDeniedException")


def test_an_error_of_ours_that_nobody_foresaw(stack: Stack, witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    event = stack.upload(json.dumps(secret()))
    monkeypatch.setattr(Service, "submit", fail)
    assert stack.invoke("submit", event)["batchItemFailures"]
    assert witness.call("create-run", secret()) == 500
    check(witness, "ZeroDivisionError")


def poison() -> list[str]:
    """Messages that hold the secrets and that no function can read."""
    event = body_of("observe/completed")
    event["detail"] |= SECRETS
    detail = event["detail"]
    without = [
        {key: value for key, value in detail.items() if key != name} for name in ("TrainingJobName", "SecondaryStatus")
    ]
    changed = [event | {"detail": one} for one in without]
    changed += [event | {"detail": detail | {"LastModifiedTime": []}}, event | {"detail-type": "another"}]
    text = json.dumps(event)
    cut = [text[: len(text) * tenth // 10] for tenth in range(1, 10)]
    return [*map(json.dumps, changed), *cut, json.dumps([event]), json.dumps(json.dumps(event)), "\ufeff" + text]


def test_messages_that_hold_secrets_and_cannot_be_read(stack: Stack, witness: Witness) -> None:
    for function in ("observe", "submit"):
        answer = stack.invoke(function, messages(*poison()))
        assert len(answer["batchItemFailures"]) == len(poison())
    check(witness, "UnreadableEventError")


def test_state_changes_that_hold_secrets(stack: Stack, witness: Witness) -> None:
    event = body_of("observe/training-started")
    event["detail"] |= SECRETS
    stack.invoke("submit", stack.upload(json.dumps(secret())))
    assert stack.invoke("observe", messages(json.dumps(event))) == {"batchItemFailures": []}
    check(witness, "churn-relay-01")


def wrong_specs() -> dict[str, Any]:
    """Specs that are refused, each for a fault near a secret."""
    env = SECRETS["Environment"]
    faults: dict[str, Any] = {
        "list": spec(Environment=[f"A={PLAIN}"]),
        "text": spec(Environment=f"A={PLAIN}"),
        "parameters as text": spec(HyperParameters=json.dumps({"a": PLAIN})),
        "nested": spec(HyperParameters={"a": {"b": PLAIN, "c": [PLAIN]}}),
        "in a list": spec(Environment={"A": [PLAIN]}),
        "too long": spec(Environment={"A": PLAIN * 100}, HyperParameters={"a": LONG * 2}),
        "bad key": spec(Environment=env | {"a b": PLAIN, "": PLAIN, "x" * 600: PLAIN}),
        "misspelt": spec(Enviroment=env, Hyperparameters=SECRETS["HyperParameters"]),
        "elsewhere": spec(AlgorithmSpecification=SPEC["training_job"]["AlgorithmSpecification"] | SECRETS),
        "in the policy": SPEC | {"policy": SECRETS},
        "beside": SPEC | SECRETS,
        "job as text": {"name": "churn", "training_job": json.dumps(spec(**SECRETS)["training_job"])},
        "job as a list": {"name": "churn", "training_job": [spec(**SECRETS)["training_job"]]},
        "arguments": spec(AlgorithmSpecification=ARGUMENTS | {"ContainerArguments": f"--token {PLAIN}"}),
        "entrypoint": spec(AlgorithmSpecification=ARGUMENTS | {"ContainerEntrypoint": [f"{PLAIN}\n", {"a": PLAIN}]}),
        "hook": spec(DebugHookConfig={"S3OutputPath": "s3://churn/d", "HookParameters": {"k": f"{PLAIN}\nx"}}),
        "tags": spec(Tags=[{"Key": "spot-relay:x", "Value": PLAIN}, {"Key": "a", "Value": {"x": PLAIN}}]),
        "other fault": secret(RoleArn="arn:aws:iam::000000000000:role/admin"),
        "too many": spec(Environment={f"K{number}": PLAIN for number in range(150)}),
        "huge": spec(HyperParameters={f"k{number}": PLAIN * 100 for number in range(90)}),
        "top": [secret()],
    }
    return faults


@pytest.mark.parametrize("fault", share(list(wrong_specs()), turn=1))
def test_a_spec_that_is_refused(stack: Stack, witness: Witness, fault: str) -> None:
    wrong = wrong_specs()[fault]
    stack.invoke("submit", stack.upload(json.dumps(wrong), "runs/a.json"))
    stack.invoke("submit", stack.upload(yaml.safe_dump(wrong, allow_unicode=True), "runs/b.yaml"))
    assert witness.call("create-run", wrong) == 400
    assert stack.keys("errors/") == ["errors/runs/a.json.json", "errors/runs/b.yaml.json"]
    check(witness, "InvalidSpec")


YAML = [
    f"Environment: {{PASSWORD: *{PLAIN}}}",
    f"Environment: {{PASSWORD: &{PLAIN} [*{PLAIN}]}}",
    f"Environment: {{PASSWORD: !{PLAIN} x}}",
    f"Environment: {{PASSWORD: !{PLAIN}!x y}}",
    f"Environment: {{PASSWORD: {PLAIN}: x: y}}",
    f"Environment: {{PASSWORD: '{PLAIN}}}",
    f'Environment: {{PASSWORD: "\\{PLAIN}"}}',
    f"Environment:\n  PASSWORD: {PLAIN}\n   {PLAIN}: x",
    f"Environment:\n\tPASSWORD: {PLAIN}",
    f"Environment: |\n {PLAIN}\n{PLAIN}",
    f"Environment: [{PLAIN}}}",
    f"Environment: {{<<: {{A: {PLAIN}}}}}",
    f"Environment: {{A: {PLAIN}, A: {PLAIN}}}",
    f"Environment: {{A: !!int {PLAIN}, B: !!float {PLAIN}, C: !!bool {PLAIN}}}",
    f"Environment: {{A: {PLAIN}}}\n---\nEnvironment: {{A: {PLAIN}}}",
    f"%YAML {PLAIN}\n---\nEnvironment: {{A: {PLAIN}}}",
    f"%TAG !{PLAIN}! {PLAIN}\n%TAG !{PLAIN}! {PLAIN}\n---\nA: x",
    f'name: churn\ntraining_job: \'{{"Environment": {{"A": "{PLAIN}"}}}}\'',
    f"HyperParameters: {{a: {PLAIN}, b: 2024-01-01, c: 1e999, d: [{PLAIN}]}}",
]


@pytest.mark.parametrize("text", share(YAML, turn=2), ids=ascii)
def test_a_text_that_is_no_yaml_or_holds_what_json_lacks(stack: Stack, witness: Witness, text: str) -> None:
    stack.invoke("submit", stack.upload(text, "runs/a.yaml"))
    assert stack.keys("errors/") == ["errors/runs/a.yaml.json"]
    check(witness, "the spec is refused")


def test_a_spec_that_breaks_off_anywhere(stack: Stack, witness: Witness) -> None:
    text = json.dumps(secret(), ensure_ascii=False).encode()
    block = yaml.safe_dump(secret(), allow_unicode=True).encode()
    bodies = []
    for part in range(0, 100, 4):
        bodies.append(stack.upload(text[: len(text) * part // 100], f"runs/{part}.json"))
        bodies.append(stack.upload(block[: len(block) * part // 100], f"runs/{part}.yaml"))
    for event in bodies:
        stack.invoke("submit", event)
    assert len(stack.keys("errors/")) == len(bodies)
    check(witness, "not valid JSON")


def test_a_spec_whose_secrets_were_tampered_with_in_a_hundred_ways(stack: Stack, witness: Witness) -> None:
    for number in range(100):
        choices = Choices(bytes((number * step) % 256 for step in range(3, 99)))
        parts = {key: "@" + key for key in SECRETS}
        text = json.dumps(spec(**parts))
        for key, given in SECRETS.items():
            text = text.replace(f'"@{key}"', mutated(given, choices))
        witness.call("create-run", encoded(text, choices).decode("utf-8", "surrogateescape"))
    assert len({answer for answer in witness.answers if "InvalidSpec" in answer}) > 20
    check(witness, "InvalidSpec")
