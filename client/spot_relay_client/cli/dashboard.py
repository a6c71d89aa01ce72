"""Serves the pages of runs on this machine: `spot-relay dashboard`."""

from __future__ import annotations

import signal
import webbrowser
from datetime import UTC, datetime
from threading import Event

import click

from spot_relay_client.cli.command import Terminal, stack_command, write_json


@stack_command()
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Where to listen; by default any free port.")
@click.option("--open/--no-open", "opens", default=True, help="Open a browser; by default if there is one.")
def dashboard(terminal: Terminal, port: int, opens: bool) -> None:
    """Show all runs in your browser, live, with their logs and with buttons, until Ctrl-C.

    The pages are served on 127.0.0.1 with your credentials. Whoever knows their address can do what you can: keep the
    address, which changes each time, to yourself. With --json: an object with the address, and no browser.
    """
    from spot_relay_client.dashboard.app import Dashboard
    from spot_relay_client.loopback import Gate, LoopbackServer

    ended = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    gate = Gate()
    zone = datetime.now().astimezone().tzinfo or UTC
    with LoopbackServer(gate, Dashboard(terminal.relay, gate, zone), port):
        address = f"{gate.url}/"
        if terminal.as_json:
            write_json({"url": address})
        else:
            click.echo(f"{address}\nThe runs of {terminal.relay.stack.name}. Ctrl-C ends this page, and no run.")
            if opens:
                webbrowser.open(address)
        ended.wait()
