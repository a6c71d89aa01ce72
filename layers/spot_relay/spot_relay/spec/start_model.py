"""The keys of a spec that say what a run waits for before its first launch, and the domain's start built from them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from spot_relay.domain.run.start import OnFailure, Start
from spot_relay.request.problem import describe, join_path
from spot_relay.request.request_model import load_request_shape
from spot_relay.spec.deadline_model import MAX_DEADLINE_SECONDS
from spot_relay.spec.run_name import check_name
from spot_relay.spec.strict_model import Strict, validate
from spot_relay.spec.times import INSTANT_HINT, read_instant, validate_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.request.problem import Problems
    from spot_relay.spec.job_rules import Allowlist

START_KEYS = ("start_at", "after", "continue_from")
MAX_PREDECESSORS = 10
# Of SageMaker's ChannelName.
_CHANNEL = re.compile(r"[A-Za-z0-9.\-_]{1,64}", re.ASCII)


class AfterModel(Strict):
    """The runs that have to complete first."""

    runs: Annotated[list[str], Field(min_length=1, max_length=MAX_PREDECESSORS)]
    on_failure: Literal["fail", "wait"] = "fail"
    known_within: Annotated[int | None, validate_duration(1, MAX_DEADLINE_SECONDS)] = None


class ContinueModel(Strict):
    """The run whose model the training starts from, or whose checkpoints."""

    run: str
    channel: str = Start.channel
    checkpoint: bool = False


def _read_after(value: Any) -> Any:
    """Return the long form of ``after``, which may be a name or a list of names."""
    return value if isinstance(value, dict) else {"runs": [value] if isinstance(value, str) else value}


def _read_continue(value: Any) -> Any:
    return {"run": value} if isinstance(value, str) else value


def _read_start_at(value: Any) -> datetime:
    return value if isinstance(value, datetime) else read_instant(value, f"Use {INSTANT_HINT}.")


class StartModel(Strict):
    """The keys of a spec that say what its run waits for."""

    start_at: Annotated[datetime | None, BeforeValidator(_read_start_at, datetime)] = None
    after: Annotated[
        AfterModel | None,
        BeforeValidator(
            _read_after,
            AfterModel | str | Annotated[list[str], Field(min_length=1, max_length=MAX_PREDECESSORS)],
        ),
    ] = None
    continue_from: Annotated[ContinueModel | None, BeforeValidator(_read_continue, ContinueModel | str)] = None

    def build(self) -> Start:
        """Return the domain's start."""
        after = self.after or AfterModel(runs=[""])
        first = self.continue_from
        names = [*(self.after.runs if self.after else []), *([] if first is None else [first.run])]
        spellings = {name.lower(): name for name in reversed(names)}
        return Start(
            at=self.start_at,
            after=tuple(name for name in dict.fromkeys(names) if spellings[name.lower()] == name),
            on_failure=OnFailure(after.on_failure),
            known_within_seconds=after.known_within,
            continue_from=None if first is None else first.run,
            channel=Start.channel if first is None else first.channel,
            checkpoint=first is not None and first.checkpoint,
        )


_KNOWN = {
    (): START_KEYS,
    ("after",): tuple(AfterModel.model_fields),
    ("continue_from",): tuple(ContinueModel.model_fields),
}


def check_start(
    document: Mapping[str, Any], name: Any, job: Mapping[str, Any], allowlist: Allowlist, problems: Problems
) -> StartModel | None:
    """Return what a document says about its run's start, or None after adding every problem with it."""
    model = validate(StartModel, {key: document[key] for key in START_KEYS if key in document}, "", _KNOWN, problems)
    if model is None:
        return None
    path = "after.runs" if isinstance(document.get("after"), dict) else "after"
    for index, other in enumerate(model.after.runs if model.after else []):
        at = path if isinstance(document["after"], str) else f"{path}[{index}]"
        _check_other(other, at, name, problems)
    if model.continue_from is not None and model.continue_from.checkpoint:
        _check_copy(model.continue_from, document["continue_from"], name, job, allowlist, problems)
    elif model.continue_from is not None:
        _check_continue(model.continue_from, document["continue_from"], name, job, problems)
    return model


def _list_channels(job: Mapping[str, Any]) -> list[Any]:
    """Return the names of the channels of a job that may be invalid."""
    channels = job.get("InputDataConfig")
    return [one.get("ChannelName") for one in (channels if isinstance(channels, list) else []) if isinstance(one, dict)]


def _check_other(other: str, path: str, name: Any, problems: Problems) -> None:
    check_name(other, path, problems)
    if isinstance(name, str) and other.lower() == name.lower():
        problems.add(path, f"Found {describe(other)}, the name of this run itself. Name another run.")


def _check_copy(
    model: ContinueModel,
    given: Mapping[str, Any],
    name: Any,
    job: Mapping[str, Any],
    allowlist: Allowlist,
    problems: Problems,
) -> None:
    _check_other(model.run, "continue_from.run", name, problems)
    path = "continue_from.checkpoint"
    if not allowlist.allow_checkpoint_copies:
        problems.add(
            path,
            "This stack may not copy checkpoints. Ask its operator to set the parameter AllowCheckpointCopies to true, "
            "or start from the model of the run, without this key.",
        )
    if "CheckpointConfig" not in job:
        problems.add(
            path,
            f"The checkpoints of {model.run} are copied to the checkpoint prefix of this run, and its training job has "
            "none. Add CheckpointConfig.",
        )
    if "channel" in given:
        problems.add(
            "continue_from.channel",
            "A copy of checkpoints needs no channel: it is where the job finds its own checkpoints. Remove channel, "
            "or remove checkpoint to start from the model.",
        )


def _check_continue(model: ContinueModel, given: Any, name: Any, job: Mapping[str, Any], problems: Problems) -> None:
    wrapped = isinstance(given, dict)
    _check_other(model.run, "continue_from.run" if wrapped else "continue_from", name, problems)
    path = join_path("continue_from", "channel") if wrapped else "continue_from"
    if not _CHANNEL.fullmatch(model.channel):
        problems.add(
            path, f"Found {describe(model.channel)}. Use letters, digits, dots, hyphens and underscores, at most 64."
        )
        return
    channels, most = _list_channels(job), load_request_shape().members["InputDataConfig"].metadata["max"]
    if model.channel in channels:
        problems.add(
            path,
            f"The training job has a channel {model.channel} already, which the model of {model.run} would replace. "
            "Remove the channel, or name another one in continue_from.channel.",
        )
    elif len(channels) == most:
        problems.add(
            path,
            f"The training job has {most} channels, which is the most that SageMaker allows, and the model of "
            f"{model.run} would be one more. Remove a channel.",
        )
