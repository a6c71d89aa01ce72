"""The template is built again only when its sources have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from embedded.sam import fingerprint

if TYPE_CHECKING:
    from pathlib import Path


def sources(root: Path) -> Path:
    """Create the sources of a build."""
    for name in ("functions/tick", "layers/spot_relay"):
        (root / name).mkdir(parents=True)
    for name in ("template.yaml", "samconfig.toml", "functions/tick/app.py", "layers/spot_relay/a.py"):
        (root / name).write_text(name)
    return root


def test_unchanged_sources_are_not_built_again(tmp_path: Path) -> None:
    root = sources(tmp_path)
    before = fingerprint(root)
    cache = root / "functions" / "tick" / "__pycache__"
    cache.mkdir()
    (cache / "app.pyc").write_text("compiled")
    assert fingerprint(root) == before


@pytest.mark.parametrize("changed", ["template.yaml", "functions/tick/app.py", "layers/spot_relay/a.py"])
def test_a_changed_source_is_built_again(tmp_path: Path, changed: str) -> None:
    root = sources(tmp_path)
    before = fingerprint(root)
    (root / changed).write_text("changed")
    assert fingerprint(root) != before


def test_a_removed_source_is_built_again(tmp_path: Path) -> None:
    root = sources(tmp_path)
    before = fingerprint(root)
    (root / "layers/spot_relay/a.py").unlink()
    assert fingerprint(root) != before
