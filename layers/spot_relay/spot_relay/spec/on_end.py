"""Read the ``on_end`` of a spec: who is told that the run has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.request.problem import describe, join_path

if TYPE_CHECKING:
    from spot_relay.request.problem import Problems

ON_END = "on_end"
TASK_TOKEN = "task_token"  # noqa: S105 - the key's name, not a secret
# Of Step Functions' API.
MAX_TOKEN_CHARACTERS = 2048


def check_on_end(value: Any, state_machines: tuple[str, ...], problems: Problems) -> None:
    """Report every problem with the ``on_end`` of a spec; no message shows the token."""
    if not isinstance(value, dict):
        found = describe(value, secret=True)
        problems.add(ON_END, f"Expected a mapping with {TASK_TOKEN}, but found {found}. Write one, or remove the key.")
        return
    for key in value:
        if key != TASK_TOKEN:
            problems.add(join_path(ON_END, key), f"Unknown key. The only known key is {TASK_TOKEN}.")
    if TASK_TOKEN not in value:
        problems.add(join_path(ON_END, TASK_TOKEN), "This key is required. Add it, or remove on_end.")
        return
    if not state_machines:
        message = (
            "This stack may not answer tasks of Step Functions. Ask its operator to set the parameter "
            "TaskTokenStateMachineArns, or remove on_end."
        )
        problems.add(ON_END, message)
    token, path = value[TASK_TOKEN], join_path(ON_END, TASK_TOKEN)
    if not isinstance(token, str) or not token:
        found = "an empty string" if token == "" else describe(token, secret=True)
        problems.add(path, f'Expected the token of a task, but found {found}. In a state machine, use "$$.Task.Token".')
    elif len(token) > MAX_TOKEN_CHARACTERS:
        problems.add(path, f"Found {len(token)} characters, but a token has at most {MAX_TOKEN_CHARACTERS}.")
