"""Rules about the checkpoint prefix, which belongs to one run and is written by one attempt at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.domain.expressions import compile_later
from spot_relay.domain.lint.draft import as_folder, as_text
from spot_relay.domain.lint.rule import Found, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spot_relay.domain.lint.draft import Draft, Surroundings

_LOGS = compile_later(r"(?<![a-z])(log|logs|logdir|logging|logger|tensorboard|tb|summary|summaries)(?![a-z])")
_SIDE_OUTPUTS = ("TensorBoardOutputConfig", "DebugHookConfig", "ProfilerConfig")


def _find_writers(draft: Draft, _: Surroundings) -> Iterator[Found]:
    place = draft.most_instances
    if draft.checkpoint_uri is not None and place.instance_count > 1:
        message = f"{place.instance_count} instances write to {draft.checkpoint_uri}."
        yield Found(place.path, message)


def _find_shared(draft: Draft, around: Surroundings) -> Iterator[Found]:
    for name, prefix in around.prefixes.items():
        if draft.checkpoint_uri is not None and as_folder(prefix) == draft.checkpoint_uri and name != draft.name:
            yield Found(_uri_path(draft), f"{name} has the same checkpoint prefix, {draft.checkpoint_uri}.")


def _find_nested(draft: Draft, around: Surroundings) -> Iterator[Found]:
    own = draft.checkpoint_uri
    if own is None:
        return
    for name, prefix in around.prefixes.items():
        other = as_folder(prefix)
        if name != draft.name and other != own and (own.startswith(other) or other.startswith(own)):
            yield Found(_uri_path(draft), f"{own} and the checkpoint prefix of {name}, {other}, lie one in the other.")
    output = as_text(draft.mapping("OutputDataConfig").get("S3OutputPath"))
    if output is not None and as_folder(output).startswith(own):
        path = draft.path("OutputDataConfig", "S3OutputPath")
        yield Found(path, f"The model is written to {output}, inside the checkpoint prefix {own}.")
    yield from _find_nested_channels(draft, own)


def _find_nested_channels(draft: Draft, own: str) -> Iterator[Found]:
    for path, uri in draft.channel_uris:
        if own.startswith(as_folder(uri)):
            yield Found(path, f"The channel reads {uri}, and so the checkpoints under {own}.")
        elif as_folder(uri).startswith(own):
            yield Found(path, f"The channel reads {uri}, inside the checkpoint prefix {own}.")


def _find_not_empty(draft: Draft, around: Surroundings) -> Iterator[Found]:
    if draft.checkpoint_uri is not None and around.checkpoint_objects:
        message = f"{around.checkpoint_objects} or more objects are under {draft.checkpoint_uri} already."
        yield Found(_uri_path(draft), message)


def _find_logs(draft: Draft, _: Surroundings) -> Iterator[Found]:
    uri, folder = draft.checkpoint_uri, draft.checkpoint_folder
    if uri is None:
        return
    for key in _SIDE_OUTPUTS:
        for member, inside in (("S3OutputPath", uri), ("LocalPath", folder)):
            value = as_text(draft.mapping(key).get(member))
            if value is not None and as_folder(value).startswith(inside):
                yield Found(draft.path(key, member), f"Found {value}, which is inside the checkpoints' {inside}.")
    for key in ("HyperParameters", "Environment"):
        for name, value in draft.mapping(key).items():
            text = as_text(value)
            names_logs = _LOGS.search(str(name).lower())
            if text is not None and names_logs and as_folder(text.strip('"')).startswith(folder):
                yield Found(draft.path(key, str(name)), f"Logs go to a folder inside the checkpoints' {folder}.")


def _uri_path(draft: Draft) -> str:
    return draft.path("CheckpointConfig", "S3Uri")


CHECKPOINT_RULES = (
    Rule(
        "several-checkpoint-writers",
        Severity.WARNING,
        "SageMaker copies the checkpoint folder of every instance to the same prefix, so instances that write files of "
        "the same name overwrite each other's.",
        "Let one instance write the checkpoints, or let each write to a folder of its own, and allow this rule.",
        _find_writers,
        "The document cannot show which of the two your code does, so the rule is a reminder for every job with "
        "checkpoints and more than one instance.",
    ),
    Rule(
        "shared-checkpoint-prefix",
        Severity.ERROR,
        "Two runs with one prefix overwrite each other's checkpoints, and the stack refuses the second one while the "
        "first is open.",
        "Give each run a checkpoint prefix of its own, such as one that ends in its name.",
        _find_shared,
        "Specs that are checked together are compared with each other; a stack also compares them with its open runs.",
    ),
    Rule(
        "nested-checkpoint-prefix",
        Severity.ERROR,
        "SageMaker restores everything under the checkpoint prefix at each start, and each attempt must find its "
        "input unchanged.",
        "Move the checkpoints to a prefix that contains nothing else and lies inside no other run's or channel's.",
        _find_nested,
        "Only an output path inside the checkpoint prefix is a problem; checkpoints inside the output path are not.",
    ),
    Rule(
        "checkpoint-prefix-not-empty",
        Severity.WARNING,
        "The first attempt restores what is there, and may continue an earlier training instead of beginning a new "
        "one.",
        "Use a new prefix, or empty this one. If the run is meant to continue from what is there, allow this rule.",
        _find_not_empty,
        "This is checked only where the prefix can be listed, with your own credentials.",
    ),
    Rule(
        "logs-beside-checkpoints",
        Severity.WARNING,
        "Logs in the checkpoint folder are uploaded all the time and restored at each start, and they can pass for "
        "progress that no checkpoint holds.",
        "Write logs to /opt/ml/output/tensorboard or another folder, and to an S3 prefix of their own.",
        _find_logs,
        "It looks at TensorBoardOutputConfig, DebugHookConfig and ProfilerConfig, and at hyperparameters and "
        "environment variables whose names refer to logs.",
    ),
)
