"""What the benchmark of starts makes of its measurements, and that it gives functions what they are deployed with."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

import pytest

from bench.start.command import parse_options
from bench.start.endpoint import Endpoint, Exchange, Request, UnexpectedRequestError, same
from bench.start.figures import Figures, Start, compare, document
from bench.start.memory import SIZES, seconds, usd_per_million
from bench.start.packages import ROOT, target
from bench.start.scenes import environment, scenes
from embedded.patience import give_time
from tests.template import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the template sets for local use only, and what Lambda sets by itself.
LOCAL = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER"}
GET = Request("POST", "/", "DynamoDB_20120810.GetItem", b"{}")
PUT = Request("POST", "/", "DynamoDB_20120810.PutItem", b'{"at": 1}')
ANSWERS = (Exchange(GET, 200, (("x-amzn-requestid", "1"),), b"got"), Exchange(PUT, 200, (), b"put"))


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An endpoint with nothing behind it."""
    with Endpoint("http://127.0.0.1:1") as listening:
        yield listening


def ask(endpoint: Endpoint, request: Request) -> tuple[int, bytes]:
    """Send a request as an SDK does."""
    connection = http.client.HTTPConnection(endpoint.url.removeprefix("http://"), timeout=give_time(10))
    connection.request(request.method, request.path, request.body, {"X-Amz-Target": request.target})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_ratios_are_medians_of_each_pair_and_seconds_medians_of_each_side() -> None:
    pairs = [(Start(1.2, 60), Start(1.0, 100)), (Start(4.0, 70), Start(2.0, 100)), (Start(1.0, 80), Start(1.0, 100))]
    assert compare("tick", pairs) == Figures("tick", 1.2, 0.7, 1.2, 1.0)


def test_the_json_is_a_list_with_these_keys_alone() -> None:
    figures = Figures("tick", 1.2, 0.7, 1.2, 1.0)
    keys = ["function", "cpu_ratio", "memory_ratio", "cpu_seconds", "floor_cpu_seconds"]
    assert [list(entry) for entry in json.loads(document([figures]))] == [keys]


def test_the_default_is_at_least_nine_pairs_of_all_functions() -> None:
    options = parse_options([])
    assert options.pairs >= 9
    assert options.function is None
    assert set(scenes()) == {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}


def test_a_function_has_the_variables_that_the_template_gives_it() -> None:
    deployed = set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    given = {name for name in environment("tick", "http://127.0.0.1:1") if not name.startswith("AWS_")}
    assert given - {"LANG", "TZ"} == deployed - LOCAL


def test_the_layers_are_built_for_this_machine() -> None:
    assert (ROOT / "layers" / "targets" / target() / "Makefile").exists()


def test_a_replayed_endpoint_answers_in_order_and_has_nothing_left(endpoint: Endpoint) -> None:
    endpoint.replay(ANSWERS, exact=True)
    assert ask(endpoint, GET) == (200, b"got")
    assert ask(endpoint, PUT) == (200, b"put")
    endpoint.check()


def test_another_request_is_an_error_and_so_is_one_that_is_missing(endpoint: Endpoint) -> None:
    endpoint.replay(ANSWERS, exact=False)
    assert ask(endpoint, PUT)[0] == 400
    with pytest.raises(UnexpectedRequestError, match=r"asked for POST / \S+PutItem, recorded is .*GetItem; missing"):
        endpoint.check()


def test_bodies_may_differ_for_a_function_and_not_for_the_floor() -> None:
    later = Request(PUT.method, PUT.path, PUT.target, b'{"at": 2}')
    assert same(later, PUT, exact=False)
    assert not same(later, PUT, exact=True)
    assert not same(GET, PUT, exact=False)


def test_memory_changes_the_time_of_cpu_and_not_its_price() -> None:
    assert seconds(0.5, 1769) == 0.5
    assert seconds(0.5, 3008) == 0.5
    assert seconds(0.5, 512) == pytest.approx(1.7275, abs=1e-4)
    prices = [usd_per_million(seconds(0.5, memory), memory) for memory in SIZES]
    assert prices == pytest.approx([prices[0]] * len(SIZES))
    assert usd_per_million(1.0, 1024) == pytest.approx(13.3334)
