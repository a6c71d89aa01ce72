"""Notices arrive where the parameters say: by e-mail, in the topic for chats, and in Slack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.news import NoticeKind
from tests.e2e.inboxes import Inbox, Slack
from tests.e2e.relay import Relay, eventually, spec

if TYPE_CHECKING:
    from embedded.stack import Stack


@pytest.fixture(scope="module")
def mail(stack: Stack) -> Inbox:
    """What is sent by e-mail."""
    return Inbox.subscribe(stack, "NewsTopic")


@pytest.fixture(scope="module")
def chat(stack: Stack) -> Inbox:
    """What Amazon Q Developer gets."""
    return Inbox.subscribe(stack, "ChatTopic")


def arrives(where: Inbox | Slack, words: str) -> str:
    """Wait for a message with these words, and return the first."""
    found = eventually(f"the message with {words!r}", lambda: where.about(words) or None)
    return found[0]


def publish(stack: Stack, detail: dict[str, Any], detail_type: str = "Spot Relay Notice") -> None:
    """Put an event on the bus, as a function does."""
    entry = {"Source": "spot-relay", "DetailType": detail_type, "Detail": json.dumps(detail)}
    answer = stack.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0, answer


def notice(kind: str) -> dict[str, Any]:
    return {
        "version": "1",
        "id": f"noticed-{kind}-1",
        "kind": kind,
        "run_id": f"noticed-{kind}",
        "at": "2026-11-30T12:00:00Z",
        "title": f"noticed-{kind}: {kind}",
        "sentence": f"The 1st sentence about {kind} costs $5 & isn't 'short'.",
        "numbers": ["62 % trained", "$6.15 of at most $12", "3 h 50 min before its deadline"],
        "to_do": "Nothing to do.",
        "link": f"https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1#/jobs/noticed-{kind}-relay-01",
    }


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_arrives_by_e_mail_in_chats_and_in_slack_with_all_that_it_says(
    relay: Relay, mail: Inbox, chat: Inbox, slack: Slack, kind: NoticeKind
) -> None:
    sent = notice(kind)
    numbers = " | ".join(sent["numbers"])
    publish(relay.stack, sent)

    lines = [sent["title"], sent["sentence"], numbers, sent["to_do"], sent["link"]]
    assert arrives(mail, sent["title"]) == "\n".join(f'"{line}"' for line in lines)

    assert json.loads(arrives(chat, sent["id"])) == {
        "version": "1.0",
        "source": "custom",
        "id": sent["id"],
        "content": {
            "textType": "client-markdown",
            "title": sent["title"],
            "description": f"{sent['sentence']}\n{numbers}\n{sent['link']}",
            "nextSteps": [sent["to_do"]],
            "keywords": [sent["run_id"], kind],
        },
        "metadata": {
            "threadId": sent["run_id"],
            "summary": sent["title"],
            "eventType": kind,
            "additionalContext": {"run_id": sent["run_id"], "kind": kind},
        },
    }

    assert arrives(slack, sent["title"]) == "\n".join([f"*{sent['title']}*", *lines[1:]])


def test_slack_gets_json_at_the_path_of_the_webhook_with_the_header_that_it_ignores(relay: Relay, slack: Slack) -> None:
    publish(relay.stack, notice("submitted") | {"title": "the path and the header"})
    arrives(slack, "the path and the header")
    (request,) = [posted for posted in slack.posted if "the path and the header" in posted.body]
    assert slack.webhook_url.endswith(request.path)
    assert request.headers["Content-Type"].startswith("application/json")
    assert request.headers["X-Spot-Relay"] == "notice"


def test_other_events_are_for_programs_and_are_not_sent_to_people(
    relay: Relay, mail: Inbox, chat: Inbox, slack: Slack
) -> None:
    publish(relay.stack, {"summary": "not for people"}, "Spot Relay Run State Change")
    publish(relay.stack, notice("ended") | {"title": "to be read by people"})
    for where in (mail, chat, slack):
        arrives(where, "to be read by people")
        assert not where.about("not for people")


def test_a_run_through_an_interruption_and_an_expired_wait_sends_each_of_its_notices_once(
    relay: Relay, mail: Inbox, chat: Inbox, slack: Slack
) -> None:
    """Every event of SageMaker comes twice here, and two functions may work on it at the same time."""
    lost = [{"after_checkpoints": 1}]
    relay.rule("telling", train_seconds=1)
    relay.rule(
        "telling",
        "01",
        capacity={"after": 0, "interruptions": lost},
        train_seconds=60,
        checkpoints={"every_seconds": 1},
        events={"duplicates": 1},
    )
    relay.upload("runs/telling.json", spec("telling", max_wait=6) | {"notify": ["all"]})
    assert relay.ends("telling")["status"] == "Completed"
    told = ("was submitted", "was interrupted", "was relaunched", "has completed")
    for words in told:
        title = f"telling {words}"
        assert arrives(mail, title).startswith(f'"{title}"\n')
        assert json.loads(arrives(chat, title))["metadata"]["threadId"] == "telling"
        assert arrives(slack, title).startswith(f"*{title}*\n")
    relay.drains()
    sent = [json.loads(message) for message in chat.about("telling ")]
    titles = [message["content"]["title"] for message in sent]
    assert sorted(titles) == sorted(f"telling {words}" for words in told)


def test_a_run_with_notify_none_sends_nothing_and_one_without_notify_tells_its_end(
    relay: Relay, mail: Inbox, chat: Inbox, slack: Slack
) -> None:
    for name in ("silent", "plain"):
        relay.rule(name, train_seconds=0.5)
    relay.upload("runs/silent.json", spec("silent") | {"notify": ["none"]})
    relay.ends("silent")
    relay.upload("runs/plain.json", spec("plain"))
    relay.ends("plain")
    for where in (mail, chat, slack):
        arrives(where, "plain has completed")
    relay.drains()
    for where in (mail, chat, slack):
        assert all("plain has completed" in message for message in where.about("plain "))
        assert not where.about("silent")


def test_neither_the_outputs_nor_the_parameters_nor_the_logs_show_the_webhook(relay: Relay, slack: Slack) -> None:
    stacks = relay.stack.client("cloudformation").describe_stacks()["Stacks"]
    assert len(stacks) == 2
    functions = ("Submit", "Api", "Observe", "Tick", "Prices")
    logs = [line for function in functions for line in relay.stack.logs(function)]
    assert "a-secret-path" not in json.dumps([stacks, logs], default=str)
