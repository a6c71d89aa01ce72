"""Runs the proxy on its own: `spot-relay proxy`."""

from __future__ import annotations

import signal
from threading import Event

import click

from spot_relay_client.cli.command import StackCommand, write_json
from spot_relay_client.cli.exec import router_options, serving


@click.command("proxy", cls=StackCommand, short_help="Run the proxy of exec on its own")
@router_options
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Where to listen; by default any free port.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def serve(stack: str | None, policy: str | None, all_jobs: bool, port: int, as_json: bool) -> None:
    """Run the proxy that `spot-relay exec` uses, until Ctrl-C, and print the variables with which SDKs find it.

    It listens on 127.0.0.1. Whoever knows its address can use SageMaker with your credentials: keep the address, which
    changes each time, to yourself. With --json: an object with the variables.
    """
    ended = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with serving(stack, policy, all_jobs, port) as proxy:
        if as_json:
            write_json(proxy.environment)
        else:
            click.echo("\n".join(f"export {name}={value}" for name, value in proxy.environment.items()))
        ended.wait()
