"""Every policy of the template, as AWS gets it: of roles, bucket, queues and topics, each in a file of its own.

    python -m tests.security.written FOLDER

writes them for tools that read policies. The trust policies of the roles are left out: they name no resource, which
such tools take for an error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.security.policies import NAMES, PARAMETERS
from tests.security.translated import resources

if TYPE_CHECKING:
    from collections.abc import Mapping

# With these, every optional part of the template is there, but for what is there only without buttons in the widget.
EVERYTHING = {**PARAMETERS, "NotificationEmail": "operators@example.org", "ChatNotices": "true"}
WITHOUT_BUTTONS = {**EVERYTHING, "WidgetActions": "false"}


def list_policies(**parameters: str) -> Mapping[str, dict[str, Any]]:
    """Return the policies by name: a resource's own name, and for a policy inside a role both names."""
    found: dict[str, dict[str, Any]] = {}
    made = [resources(NAMES, **{**given, **parameters}) for given in (WITHOUT_BUTTONS, EVERYTHING)]
    for name, entry in (pair for each in made for pair in each.items()):
        properties = entry["Properties"]
        if "PolicyDocument" in properties:
            found[name] = properties["PolicyDocument"]
        if entry["Type"] == "AWS::IAM::Role":
            for policy in properties["Policies"]:
                found[f"{name}-{policy['PolicyName']}"] = policy["PolicyDocument"]
    return found


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    for policy, document in list_policies().items():
        (folder / f"{policy}.json").write_text(json.dumps(document, indent=1), "utf-8")
