"""Print the parameters for which an environment of samconfig.toml is deployed and its layers have to be built.

``sam deploy --guided`` stores its answers for ``sam deploy`` alone, and ``sam build`` would not see them.
``make build`` passes on what this prints.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

NAMES = ("PythonRuntime", "Architecture")
# sam reads Name=value, Name="value" and ParameterKey=Name,ParameterValue=value.
_OVERRIDE = re.compile(
    rf"(?:^|\s)(?:ParameterKey=)?({'|'.join(NAMES)})(?:,ParameterValue)?=[\"']?([\w.]+)[\"']?(?=\s|$)"
)


def find_overrides(settings: dict[str, Any], environment: str) -> list[str]:
    """Return the overrides of runtime and architecture: those stored for the deployment, or else the common ones."""
    chosen: dict[str, str] = {}
    for command in ("global", "deploy"):
        given = settings.get(environment, {}).get(command, {}).get("parameters", {}).get("parameter_overrides", "")
        text = given if isinstance(given, str) else " ".join(given)
        chosen |= dict(_OVERRIDE.findall(text))
    return [f"{name}={chosen[name]}" for name in NAMES if name in chosen]


if __name__ == "__main__":
    file = Path(__file__).resolve().parent.parent / "samconfig.toml"
    print(*find_overrides(tomllib.loads(file.read_text("utf-8")), sys.argv[1]))  # noqa: T201
