"""What a run can do without when its record grows too large: what happened long ago, told in texts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from spot_relay.domain.run.life import without_transitions
from spot_relay.domain.sagemaker.phase import KEPT_PHASES
from spot_relay.domain.text import shorten
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.run import Run

# The newest attempts stay as they are: the next decision may depend on all that is known of them.
_KEPT_WHOLE = 2
_SHORT_BYTES = 100
# Half of the longest FailureReason still says what has failed.
HALF_BYTES = 512
# How many phases are left of an attempt whose run has to do without most of them: the newest, and those before in one.
_FEW_PHASES = 6


def drop_history(run: Run) -> Iterator[Run]:
    """Yield the run with less and less of its history: first the reasons of news that nobody could be told for long.

    Then transitions, then explanations, then attempts' texts.

    The oldest go first. What decisions depend on, and what was paid, stays. So do the phases of each attempt's life.
    """
    yield (run := _shorten_news(run))
    for kept in (10, 3, 0):
        yield (run := _drop_transitions(run, len(run.attempts) - kept))
    old = len(run.attempts) - _KEPT_WHOLE
    yield (run := _drop_transitions(run, old, _FEW_PHASES))
    for kept in (20, 10):
        yield (run := replace(run, decisions=run.decisions[-kept:]))
    yield (run := _drop_transitions(run, old, 1))
    yield (run := replace(run, decisions=run.decisions[-5:]))
    yield (run := _change_oldest(run, old, partial(_shorten_failure, most_bytes=HALF_BYTES)))
    yield (run := _change_oldest(run, old, partial(_shorten_texts, most_bytes=_SHORT_BYTES)))
    yield (run := _change_oldest(run, old, _shorten_texts))
    yield (run := replace(run, decisions=(), reason=shorten(run.reason, _SHORT_BYTES)))
    if run.failing_because is not None:
        # No attempt follows, and its end must fit.
        yield _change_oldest(run, len(run.attempts), _shorten_texts)


def _shorten_news(run: Run) -> Run:
    news = tuple(replace(one, reason="") for one in run.outbox.news)
    return replace(run, outbox=replace(run.outbox, news=news)) if news else run


def _drop_transitions(run: Run, old: int, phases: int = KEPT_PHASES) -> Run:
    return _change_oldest(run, old, partial(without_transitions, most_phases=phases))


def _change_oldest(run: Run, amount: int, change: Callable[[Attempt], Attempt]) -> Run:
    """Return the run with this many of its oldest attempts changed; none if the amount is negative."""
    attempts = enumerate(run.attempts)
    return replace(run, attempts=tuple(change(attempt) if i < amount else attempt for i, attempt in attempts))


def _shorten_failure(attempt: Attempt, most_bytes: int) -> Attempt:
    why = attempt.failure_reason
    return replace(attempt, failure_reason=shorten(why, most_bytes) if why and most_bytes else None)


def _shorten_texts(attempt: Attempt, most_bytes: int = 0) -> Attempt:
    """Return an attempt without its checkpoints' keys and with little or nothing of its texts."""
    shorter = _shorten_failure(attempt, most_bytes)
    return replace(shorter, resumes_from=None, checkpoint=None, status_message=None, arn=None)
