"""A SIGTERM is noted and passed on to the handler before; other threads and forked processes are left alone."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from embedded.patience import give_time
from spot_relay_client.checkpoints.sigterm import Sigterm

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sigterm() -> Iterator[Sigterm]:
    before = signal.getsignal(signal.SIGTERM)
    sigterm = Sigterm()
    yield sigterm
    signal.signal(signal.SIGTERM, before)


def send() -> None:
    """Send this process a SIGTERM, whose handler has run when this returns."""
    signal.raise_signal(signal.SIGTERM)


def test_a_sigterm_is_noted_and_the_process_lives_on(sigterm: Sigterm) -> None:
    sigterm.listen()
    assert not sigterm.noted
    send()
    assert sigterm.noted


def test_the_handler_that_was_there_before_is_called_with_the_signal(sigterm: Sigterm) -> None:
    called: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: called.append(number))
    sigterm.listen()
    send()
    assert sigterm.noted
    assert called == [signal.SIGTERM]


def test_a_signal_that_was_ignored_is_noted(sigterm: Sigterm) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sigterm.listen()
    send()
    assert sigterm.noted


def test_afterwards_the_handler_before_is_back(sigterm: Sigterm) -> None:
    called: list[int] = []

    def earlier(number: int, _: object) -> None:
        called.append(number)

    signal.signal(signal.SIGTERM, earlier)
    sigterm.listen()
    sigterm.forget()
    assert signal.getsignal(signal.SIGTERM) is earlier
    send()
    assert called == [signal.SIGTERM]
    assert not sigterm.noted


def test_a_handler_that_was_set_in_the_meantime_stays(sigterm: Sigterm) -> None:
    sigterm.listen()

    def later(_number: int, _frame: object) -> None: ...

    signal.signal(signal.SIGTERM, later)
    sigterm.forget()
    assert signal.getsignal(signal.SIGTERM) is later


def test_another_thread_can_not_listen_and_learns_what_to_do(sigterm: Sigterm) -> None:
    raised: list[str] = []

    def listen() -> None:
        try:
            sigterm.listen()
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join(timeout=give_time(10))
    assert raised == ["Only the main thread can handle SIGTERM. Enter Checkpoints there, or pass handle_sigterm=False."]


def _wait(started: multiprocessing.synchronize.Event) -> None:
    started.set()
    threading.Event().wait(give_time(60))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_dies_from_a_sigterm_as_it_would_have(sigterm: Sigterm) -> None:
    sigterm.listen()
    context = multiprocessing.get_context("fork")
    started = context.Event()
    process = context.Process(target=_wait, args=(started,))
    process.start()
    assert started.wait(give_time(10))
    process.terminate()
    process.join(timeout=give_time(10))
    assert process.exitcode == -signal.SIGTERM
    assert not sigterm.noted
