"""A plan on the deployed template, from the command: nothing comes of it until the spec is submitted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.e2e.relay import spec
from tests.e2e.test_command import command  # noqa: F401 (a fixture)

if TYPE_CHECKING:
    from tests.e2e.relay import Relay
    from tests.e2e.test_command import Command


def test_a_spec_is_planned_without_becoming_a_run(relay: Relay, command: Command) -> None:  # noqa: F811 (the fixture)
    text = json.dumps(spec("planned"))
    answer = json.loads(command.run("plan", "-", "--json", text=text))
    assert answer["problems"] == []
    assert answer["plan"]["run_id"] == "planned"
    assert set(answer["plan"]["outlooks"]) == {"spot_at_once", "spot_never", "spot_lost"}
    assert relay.jobs("planned") == []
    assert command.run("show", "planned", code=7)
    assert "spot comes at once" in command.run("plan", "-", text=text)


def test_a_spec_that_would_be_refused_is_planned_with_its_problems(command: Command) -> None:  # noqa: F811 (the fixture)
    bad = spec("planned")
    bad["training_job"]["RoleArn"] = "arn:aws:iam::000000000000:role/admin"
    with command.begin("plan", "-", text=json.dumps(bad)) as planning:
        printed, _ = planning.communicate()
    assert planning.returncode == 2
    assert "problem: training_job.RoleArn" in printed
