"""How notices leave the stack: what EventBridge makes of one by the template's rule, and who sees the webhook."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from spot_relay.domain.run.news import News, NewsKind, NoticeKind
from spot_relay.domain.shown.events import NOTICE as DETAIL_TYPE
from spot_relay.domain.shown.events import Event, build_event
from spot_relay.domain.shown.report import Whereabouts
from tests.event_schemas import find_flaw
from tests.integration.runs import a_full_run
from tests.security.policies import PARAMETERS
from tests.security.translated import resources
from tests.template import ROOT, TEMPLATE, Loader

EVERYWHERE = {"NotificationEmail": "operators@example.org", "ChatNotices": "true"}
WEBHOOK = PARAMETERS["SlackWebhookUrl"]
SLACK: dict[str, Any] = yaml.load((ROOT / "notices" / "slack.yaml").read_text("utf-8"), Loader)  # noqa: S506 (a safe loader)
LONGEST_TEMPLATE = 8192
HOSTILE = 'Error: "exit\\n1"\r\n<!channel> <https://evil.example|click> \u2028 <title> \t{"a": 1} \\'
NOTICE = {
    "version": "1",
    "id": "churn-3-first_interruption",
    "kind": "first_interruption",
    "run_id": "churn",
    "at": "2026-11-30T12:00:00Z",
    "title": "churn: first interruption",
    "sentence": "Spot capacity was reclaimed; it's 'normal' & costs $5 {per} hour.",
    "numbers": ["62 % trained", "$6.15 of at most $12", "3 h 50 min before its deadline"],
    "to_do": "Nothing to do.",
    "link": "https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1#/jobs/churn-relay-01",
}


def rule(**parameters: str) -> dict[str, Any] | None:
    """Return the properties of the rule for notices, if there is one."""
    made = resources({}, AllowedRoleArns=PARAMETERS["AllowedRoleArns"], **parameters)
    return made["NoticeRule"]["Properties"] if "NoticeRule" in made else None


def targets() -> dict[str, dict[str, Any]]:
    """Return each target of the rule by its id, where there are all of them."""
    found = rule(**EVERYWHERE, SlackWebhookUrl=WEBHOOK)
    assert found is not None
    return {target["Id"]: target for target in found["Targets"]}


def render(target: dict[str, Any], detail: dict[str, Any]) -> str:
    """Put a notice into a target's template, as EventBridge does: it escapes nothing."""
    values = {name: str(find(path, detail)) for name, path in target["InputTransformer"]["InputPathsMap"].items()}
    template: str = target["InputTransformer"]["InputTemplate"]
    return re.sub("<([^<>]+)>", lambda variable: values[variable[1]], template)


def find(path: str, detail: dict[str, Any]) -> Any:
    """Return what a path of an input transformer leads to."""
    name, index = re.fullmatch(r"\$\.detail\.(\w+)(?:\[(\d)\])?", path).groups()  # type: ignore[union-attr]
    return detail[name] if index is None else detail[name][int(index)]


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        ({}, None),
        ({"NotificationEmail": "operators@example.org"}, ["mail"]),
        ({"ChatNotices": "true"}, ["chat"]),
        ({"SlackWebhookUrl": WEBHOOK}, ["slack"]),
        ({**EVERYWHERE, "SlackWebhookUrl": WEBHOOK}, ["mail", "chat", "slack"]),
    ],
)
def test_a_notice_goes_where_a_parameter_says_and_nowhere_else(
    parameters: dict[str, str], ids: list[str] | None
) -> None:
    found = rule(**parameters)
    assert (found and [target["Id"] for target in found["Targets"]]) == ids


def test_the_rule_sends_notices_only() -> None:
    found = rule(**EVERYWHERE)
    assert found is not None
    assert found["EventPattern"] == {"source": ["spot-relay"], "detail-type": ["Spot Relay Notice"]}


def test_an_e_mail_has_five_lines_in_the_quotation_marks_that_eventbridge_demands() -> None:
    lines = render(targets()["mail"], NOTICE).split("\n")
    assert all(re.fullmatch('"[^"]+"', line) for line in lines)
    assert [json.loads(line) for line in lines] == [
        NOTICE["title"],
        NOTICE["sentence"],
        "62 % trained | $6.15 of at most $12 | 3 h 50 min before its deadline",
        NOTICE["to_do"],
        NOTICE["link"],
    ]


def test_a_message_for_amazon_q_developer_has_the_members_of_a_custom_notification() -> None:
    message = json.loads(render(targets()["chat"], NOTICE))
    assert (message["version"], message["source"], message["id"]) == ("1.0", "custom", NOTICE["id"])
    content, metadata = message["content"], message["metadata"]
    assert set(message) == {"version", "source", "id", "content", "metadata"}
    assert set(content) == {"textType", "title", "description", "nextSteps", "keywords"}
    assert set(metadata) == {"threadId", "summary", "eventType", "additionalContext"}
    assert content["textType"] == "client-markdown"
    assert metadata["threadId"] == NOTICE["run_id"]


@pytest.mark.parametrize("kind", NoticeKind)
def test_whatever_a_failure_says_each_message_stays_whole_and_gives_slack_no_command(kind: NoticeKind) -> None:
    run = replace(a_full_run("churn"), reason=HOSTILE)
    about = {NoticeKind.BUDGET_NEARLY_SPENT: "money_usd 12.0"}.get(kind, "2026-11-30T12:00:00+00:00")
    news = News(1, NewsKind.NOTICE, kind, run.updated_at, attempt=1, reason=HOSTILE, about=about)
    event = build_event(run, news, Whereabouts("us-east-1", "specs"))
    assert find_flaw(event) is None
    lines = render(targets()["mail"], event.detail).split("\n")
    assert [json.loads(line) for line in lines[:2]] == [event.detail["title"], event.detail["sentence"]]
    assert len(lines) == 5
    content = json.loads(render(targets()["chat"], event.detail))["content"]
    text = json.loads(render(targets()["slack"], event.detail))["text"]
    assert len(text.split("\n")) == 5
    assert not set("<>") & {*content["title"], *content["description"], *content["nextSteps"][0], *text}


def test_the_notice_of_these_tests_is_one_by_its_schema() -> None:
    assert find_flaw(Event(DETAIL_TYPE, str(NOTICE["id"]), NOTICE)) is None


def test_a_message_for_slack_has_one_text() -> None:
    assert set(json.loads(render(targets()["slack"], NOTICE))) == {"text"}


@pytest.mark.parametrize("name", ["mail", "chat", "slack"])
def test_a_template_uses_each_of_its_variables_and_is_as_short_as_eventbridge_wants_it(name: str) -> None:
    transformer = targets()[name]["InputTransformer"]
    used = set(re.findall("<([^<>]+)>", transformer["InputTemplate"]))
    assert used == set(transformer["InputPathsMap"])
    assert len(transformer["InputTemplate"]) <= LONGEST_TEMPLATE
    # What is not ASCII may arrive as question marks from a template of CloudFormation.
    assert transformer["InputTemplate"].isascii()


def test_the_webhook_is_hidden_and_goes_to_nothing_but_the_stack_that_calls_it() -> None:
    assert TEMPLATE["Parameters"]["SlackWebhookUrl"]["NoEcho"] is True
    assert SLACK["Parameters"]["WebhookUrl"]["NoEcho"] is True
    made = resources({}, AllowedRoleArns=PARAMETERS["AllowedRoleArns"], SlackWebhookUrl=WEBHOOK)
    holders = [name for name, entry in made.items() if WEBHOOK in json.dumps(entry)]
    assert holders == ["SlackWebhook"]
    assert made["SlackWebhook"]["Properties"]["Parameters"] == {"WebhookUrl": WEBHOOK}
    assert "SlackWebhookUrl" not in json.dumps(TEMPLATE["Outputs"])
    # What NoEcho does not hide.
    for entry in SLACK["Resources"].values():
        assert set(entry) == {"Type", "Properties"}
    users = [name for name, entry in SLACK["Resources"].items() if '{"Ref": "WebhookUrl"}' in json.dumps(entry)]
    assert users == ["SlackDestination"]
    assert list(SLACK["Outputs"]) == ["DestinationArn"]


def test_eventbridge_may_call_that_one_destination_only() -> None:
    made = resources({}, AllowedRoleArns=PARAMETERS["AllowedRoleArns"], SlackWebhookUrl=WEBHOOK)
    (target,) = made["NoticeRule"]["Properties"]["Targets"]
    (policy,) = made["SlackRole"]["Properties"]["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "events:InvokeApiDestination", "Resource": target["Arn"]}
    ]


def test_the_stack_inside_needs_no_more_leave_than_the_stack_around_it() -> None:
    """For a transform inside, CloudFormation demands CAPABILITY_AUTO_EXPAND, which sam deploy does not pass on."""
    assert "Transform" not in SLACK
    assert not [name for name, entry in SLACK["Resources"].items() if entry["Type"].startswith("AWS::Serverless::")]


def test_nothing_that_a_region_may_lack_is_in_the_template_of_the_whole_stack() -> None:
    types = {entry["Type"] for entry in SLACK["Resources"].values()}
    assert types == {"AWS::Events::Connection", "AWS::Events::ApiDestination"}
    assert not types & {entry["Type"] for entry in TEMPLATE["Resources"].values()}
    assert TEMPLATE["Resources"]["SlackWebhook"]["Properties"]["TemplateURL"] == "notices/slack.yaml"


@pytest.mark.parametrize(
    "url", ["none", WEBHOOK, "https://hooks.slack-gov.com/services/T0/B0/x", "http://127.0.0.1:80/x"]
)
def test_a_url_of_a_webhook_is_taken(url: str) -> None:
    assert re.fullmatch(TEMPLATE["Parameters"]["SlackWebhookUrl"]["AllowedPattern"], url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///x",
        "http://hooks.slack.com/services/x",
        "hooks.slack.com/x",
        "https://a b/",
        "https://a/b c",
    ],
)
def test_what_is_no_url_or_not_encrypted_is_refused_at_the_deployment(url: str) -> None:
    assert not re.fullmatch(TEMPLATE["Parameters"]["SlackWebhookUrl"]["AllowedPattern"], url)
