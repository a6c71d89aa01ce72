"""Write what this release's template keeps to ``tests/released/<version>.json``: see CONTRIBUTING.md.

python -m tests.released
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from tests.released.stateful import select_stateful
from tests.security.translated import translated

FOLDER = Path(__file__).parent


def main() -> None:
    """Write the file of the version that pyproject.toml names."""
    version = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    text = json.dumps(select_stateful(translated()), indent=1, default=str)
    (FOLDER / f"{version}.json").write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    main()
