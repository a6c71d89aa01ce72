"""How a container reaches an embedded stack, tried without a container."""

from __future__ import annotations

from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import httpx
import pytest

from embedded.daemons import EmbeddedError
from embedded.docker import gateway, open_ports
from embedded.patience import give_time
from embedded.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

# All of 127.0.0.0/8 is this machine, on Linux. So one of its addresses stands for the bridge's.
BRIDGE = "127.0.0.9"
LARGE = b"0123456789" * 100_000


class Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 (the base class's name)
        pass


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Two servers that listen on 127.0.0.1 alone."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Echo) for _ in range(2)]
    threads = [Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}) for server in servers]
    for thread in threads:
        thread.start()
    aws, simulator = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    yield Stack(aws, simulator, {}, "template.yaml", "folder", simulator_pid=0, aws_pid=0)
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


def sent(url: str, body: bytes) -> bytes:
    return httpx.post(url.replace("127.0.0.1", BRIDGE), content=body, trust_env=False, timeout=give_time(10)).content


def test_both_ports_of_a_stack_are_open_at_the_bridge_as_long_as_the_block_runs(stack: Stack) -> None:
    with pytest.raises(httpx.ConnectError):
        sent(stack.aws_url, b"")
    with open_ports(stack, BRIDGE):
        assert sent(stack.aws_url, LARGE) == LARGE
        assert sent(stack.simulator_url, b"small") == b"small"
    with pytest.raises(httpx.ConnectError):
        sent(stack.simulator_url, b"")


def test_a_stack_that_does_not_answer_has_its_callers_turned_away(stack: Stack) -> None:
    gone = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    gone.server_close()
    url = f"http://127.0.0.1:{gone.server_port}"
    with open_ports(replace(stack, aws_url=url), BRIDGE), pytest.raises(httpx.TransportError):
        sent(url, b"")


def test_an_address_that_is_not_this_machines_is_refused_with_its_name(stack: Stack) -> None:
    with pytest.raises(EmbeddedError, match=r"cannot listen at 203\.0\.113\.1"), open_ports(stack, "203.0.113.1"):
        pass


def test_the_gateway_is_the_one_that_the_network_names() -> None:
    assert gateway([{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.5"}]) == "172.17.0.5"


def test_the_gateway_of_a_network_that_names_none_is_its_first_address() -> None:
    assert gateway([{"Subnet": "fd00::/64"}, {"Subnet": "172.17.0.0/16"}]) == "172.17.0.1"
