"""Write what this release's template keeps to ``tests/released/<version>.json``: see CONTRIBUTING.md.

python -m tests.released

What a release has left stays as it was: users update from it. To replace a file that is wrong, remove it first.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

from tests.released.stateful import list_releases, select_stateful
from tests.security.translated import translated

FOLDER = Path(__file__).parent


def main(root: Path = FOLDER.parents[1], folder: Path = FOLDER) -> str | None:
    """Write the file of the version that pyproject.toml names, or return why it stays as it is."""
    version = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    path = folder / f"{version}.json"
    if path.exists() and version in list_releases((root / "CHANGELOG.md").read_text("utf-8")):
        return (
            f"{path.name} is what {version} left, and CHANGELOG.md lists {version} as released. Raise the version in "
            "pyproject.toml, or remove the file if it is wrong."
        )
    text = json.dumps(select_stateful(translated()), indent=1, default=str)
    path.write_text(f"{text}\n", "utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main())
