"""Functions in a world of their own, each with what holds of its answers and of what it prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from spot_relay.adapters.inbound import UnreadableEventError, read_delivery, read_observation
from spot_relay.spec import Format, read_submission
from tests.hostile import seeds
from tests.hostile.functions import SPECS, Context, Log, MemorySpecFiles, enter, load
from tests.hostile.mutation import Choices, encoded, mutated
from tests.hostile.oracles import ALLOWLIST, check_answer, check_observation, check_upload
from tests.hostile.values import SECRET
from tests.unit.pages.reading import read_page
from tests.unit.pages.tales import KEPT
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ELEMENTS = {name for file in KEPT.glob("widget/*.html") for name in read_page(file.read_text("utf-8")).elements}


class Function:
    """A function, the world it works in, and what it has printed."""

    name: str

    def __init__(self) -> None:
        self.log = Log()
        self.module: Any = load(self.name, World(), self.log)

    def begin(self) -> World:
        """Put the function into a new world, in which there is one run."""
        world = World()
        world.service.submit(submission())
        enter(self.module, world)
        self.log.lines.clear()
        return world

    def hand(self, event: dict[str, Any]) -> dict[str, Any]:
        """Hand the function an event, and give its answer."""
        answer: dict[str, Any] = self.module.handler(event, Context())
        return answer

    def check_log(self, *named: str) -> None:
        """Every line is JSON, none was lost, and none holds a secret, unless it was given as one of these names."""
        assert self.log.lost == []
        assert all("message" in json.loads(line) for line in self.log.lines)
        assert SECRET not in "".join(self.log.lines) or any(SECRET in name for name in named)


class Observe(Function):
    """`observe`."""

    name = "observe"

    def check(self, texts: list[str]) -> None:
        """Of a batch those messages go back that cannot be read, and no other; no job is launched for one."""
        world = self.begin()
        assert failed(self.hand(batch(texts))) == unreadable(read_observation, texts)
        for text in texts:
            check_observation(text)
        assert len(world.run().attempts) == 1
        self.check_log(*(name for text in texts for name in names(text)))


class Submit(Function):
    """`submit`."""

    name = "submit"

    def check(self, texts: list[str], spec: bytes) -> None:
        """Of a batch those messages go back that cannot be read; each other upload becomes a run or has a report."""
        world, choices = self.begin(), Choices(spec)
        content = encoded(mutated(choices.of(seeds.specs()), choices), choices)
        uploads = [upload for text in texts if (upload := check_upload(text))]
        files = MemorySpecFiles({upload.key: content for upload in uploads})
        self.module.files = files
        assert failed(self.hand(batch(texts))) == unreadable(lambda text: read_delivery(text, SPECS), texts)
        named = [name for text in texts for name in names(text)]
        for upload in uploads:
            problems = files.reports.get(upload.key)
            if problems is None:
                named.append(read_submission(content, Format.of(upload.key), ALLOWLIST).name)
                assert named[-1] in world.store.runs
            else:
                assert problems
        self.check_log(*named)


class Api(Function):
    """`api`."""

    name = "api"

    def check(self, event: dict[str, Any]) -> dict[str, Any]:
        """A request is answered as its method is, and not with a fault of ours."""
        self.begin()
        answer = check_answer(self.module, event, Context())
        self.check_log()
        return answer


class Widget(Function):
    """`widget`."""

    name = "widget"

    def check(self, event: Any) -> None:
        """Any event is answered with HTML that has only elements of ours, and does no more than one press may do."""
        world = self.begin()
        answer: Any = self.module.handler(event, Context())
        assert isinstance(answer, str)
        answer.encode()
        if not (isinstance(event, dict) and event.get("describe")):
            page = read_page(answer)
            assert set(page.elements) <= ELEMENTS
            assert (page.declarations, page.unbalanced) == ([], [])
            assert set(page.values("endpoint")) <= {Context().invoked_function_arn}
        assert len(world.run().attempts) == 1
        self.check_log(*texts_in(event))


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a value, as it is logged if it is logged at all."""
    match value:
        case str():
            yield value.encode("utf-8", "replace").decode()
        case dict():
            for one in value.values():
                yield from texts_in(one)
        case list():
            for one in value:
                yield from texts_in(one)


def batch(bodies: list[str]) -> dict[str, Any]:
    """Return the event in which SQS delivers messages, with ids counted from 0."""
    (record,) = seeds.event("observe/run-due")["Records"]
    return {"Records": [record | {"messageId": str(number), "body": body} for number, body in enumerate(bodies)]}


def names(text: str) -> list[str]:
    """Return the names and times in a message, which are logged unchanged."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return []
    detail = member(message, "detail")
    told = [member(message, name) for name in ("source", "detail-type", "time")]
    told += [member(detail, name) for name in ("run_id", "LastModifiedTime", "template", "at")]
    told.append(member(member(detail, "object"), "key"))
    return [name for name in told if isinstance(name, str)]


def member(value: Any, name: str) -> Any:
    """Return a member of a value, or None if the value is not a mapping or lacks it."""
    return value.get(name) if isinstance(value, dict) else None


def failed(answer: dict[str, Any]) -> set[int]:
    """Name the messages that go back to the queue."""
    return {int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]}


def bodies(data: bytes) -> list[str]:
    """Return one to four messages, some of them altered."""
    choices = Choices(data)
    changed = [mutated(choices.of(seeds.messages()), choices) for _ in range(1 + choices.below(4))]
    return [encoded(text, choices).decode("utf-8", "surrogateescape") for text in changed]


def unreadable(read: Callable[[str], object], texts: list[str]) -> set[int]:
    """Return which messages cannot be read."""
    found = set()
    for number, text in enumerate(texts):
        try:
            read(text)
        except UnreadableEventError:
            found.add(number)
    return found
