"""Where notices arrive: a subscriber of a topic, and a server that stands for Slack."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from embedded.stack import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from wsgiref.types import StartResponse, WSGIEnvironment

    from embedded.stack import Stack


@dataclass
class Inbox:
    """A queue that subscribes to a topic, as an address of e-mail or Amazon Q Developer does."""

    queue_url: str
    sqs: Any
    received: list[str] = field(default_factory=list)

    @classmethod
    def subscribe(cls, stack: Stack, topic: str) -> Self:
        """Make a queue that receives what is published to the topic that an output names, as it is published."""
        name = f"inbox-{topic}"
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": stack.outputs[topic]}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        sqs = stack.client("sqs")
        url = sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
        stack.client("sns").subscribe(
            TopicArn=stack.outputs[topic], Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
        )
        return cls(url, sqs)

    def about(self, words: str) -> list[str]:
        """Return the messages so far that contain these words, oldest first."""
        while found := self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self.received.append(message["Body"])
                self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [message for message in self.received if words in message]


@dataclass(frozen=True)
class Posted:
    """A request to a webhook."""

    path: str
    headers: dict[str, str]
    body: str


class Slack:
    """A server on this machine that takes what is posted to an incoming webhook, as Slack does."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self._server = make_server("127.0.0.1", 0, self._take, threaded=True, request_handler=_Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def webhook_url(self) -> str:
        """The URL of the webhook."""
        return f"http://127.0.0.1:{self._server.server_port}/services/T000/B000/a-secret-path"

    def about(self, words: str) -> list[str]:
        """Return the texts so far that contain these words, oldest first."""
        texts = [json.loads(request.body)["text"] for request in self.posted]
        return [text for text in texts if words in text]

    def __enter__(self) -> Slack:
        """Start to listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop to listen."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _take(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        self.posted.append(Posted(request.path, dict(request.headers), request.get_data(as_text=True)))
        return Response("ok")(environ, start_response)


class _Handler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (werkzeug's name)
        """Write nothing."""
