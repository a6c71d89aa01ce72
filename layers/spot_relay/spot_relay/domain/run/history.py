"""What a run can do without when its record grows too large: what happened long ago, told in texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.domain.run.life import without_transitions
from spot_relay.domain.sagemaker.phase import KEPT_PHASES
from spot_relay.domain.text import shorten
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    yield (run := _shorten_failures(run, old, HALF_BYTES))
    yield (run := _shorten_attempts(run, old, _SHORT_BYTES))
    yield (run := _shorten_attempts(run, old, 0))
    yield (run := replace(run, decisions=(), reason=shorten(run.reason, _SHORT_BYTES)))
    if run.failing_because is not None:
        # No attempt follows, and its end must fit.
        yield _shorten_attempts(run, len(run.attempts), 0)


def _shorten_news(run: Run) -> Run:
    news = tuple(replace(one, reason="") for one in run.outbox.news)
    return replace(run, outbox=replace(run.outbox, news=news)) if news else run


def _drop_transitions(run: Run, old: int, phases: int = KEPT_PHASES) -> Run:
    attempts = enumerate(run.attempts)
    return replace(run, attempts=tuple(without_transitions(a, phases) if i < old else a for i, a in attempts))


def _shorten_failures(run: Run, old: int, most_bytes: int) -> Run:
    whys = (shorten(one.failure_reason, most_bytes) if one.failure_reason else None for one in run.attempts[:old])
    shortened = (replace(one, failure_reason=why) for one, why in zip(run.attempts, whys, strict=False))
    return replace(run, attempts=(*shortened, *run.attempts[max(0, old) :]))


def _shorten_attempts(run: Run, old: int, most_bytes: int) -> Run:
    attempts = enumerate(run.attempts)
    return replace(run, attempts=tuple(_shorten_attempt(a, most_bytes) if i < old else a for i, a in attempts))


def _shorten_attempt(attempt: Attempt, most_bytes: int) -> Attempt:
    """Return an attempt without its checkpoints' keys and with little or nothing of its texts."""
    why = attempt.failure_reason
    return replace(
        attempt,
        failure_reason=shorten(why, most_bytes) if why and most_bytes else None,
        resumes_from=None,
        checkpoint=None,
        status_message=None,
        arn=None,
    )
