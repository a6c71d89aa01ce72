"""Spot Relay and the helper agree on what is a complete checkpoint, however much of it has reached S3."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from spot_relay.domain.rules.checkpoints import StoredObject, find_newest
from spot_relay_client.checkpoints import Checkpoints
from tests.fakes import NOON
from tests.unit.client.checkpoints.writing import write, write_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).parents[4]
# The names in the docs and the recipes, and others that users may choose.
NAMES = sorted(
    {
        "checkpoint-step-{step}",
        "xgboost-checkpoint.{step}",
        "model-{step}.npz",
        *(
            name
            for path in (ROOT / "examples" / "recipes").glob("*.py")
            for name in re.findall(r'name="([^"]+)"', path.read_text("utf-8"))
        ),
    }
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Return files as they are modified, those of the same moment by name."""
    return sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name))


def judge(folder: Path, files: Iterable[Path]) -> str | None:
    """Return what Spot Relay takes for the newest checkpoint, if these files of the folder were uploaded in order."""
    listed = [
        StoredObject(path.relative_to(folder).as_posix(), NOON + timedelta(seconds=second), path.stat().st_size)
        for second, path in enumerate(files)
    ]
    newest = find_newest("churn/", listed).newest
    return newest.key.removeprefix("churn/").partition("/")[0] if newest else None


def files_in(folder: Path) -> list[Path]:
    return in_order(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("content", [write("x"), write_folder(model="m")], ids=["file", "folder"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_is_recognised_whatever_its_name(
    folder: Path, name: str, content: Callable[[Path], object]
) -> None:
    with Checkpoints(folder, name=name) as checkpoints:
        assert judge(folder, files_in(folder)) is None
        checkpoints.save(9, content)
        assert judge(folder, files_in(folder)) == name.replace("{step}", "9")
        checkpoints.save(10, content)
        assert judge(folder, files_in(folder)) == name.replace("{step}", "10")
    assert judge(folder, files_in(folder)) == name.replace("{step}", "10")


def test_in_a_folder_below_the_one_that_is_copied_nothing_unfinished_is_recognised_either(folder: Path) -> None:
    judged: list[str | None] = []

    def look(path: Path) -> None:
        path.write_text("x")
        judged.append(judge(folder, files_in(folder)))

    with Checkpoints(folder / "run-7") as checkpoints:
        checkpoints.save(1, look)
    assert judged == [None]
    assert judge(folder, files_in(folder)) == "run-7"


@pytest.mark.parametrize("is_inside", [False, True], ids=["beside", "inside"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_being_written_is_not(
    folder: Path, name: str, *, is_inside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_inside:

        def refuse(self: Path, target: Path) -> Path:
            raise OSError(18, f"{self} and {target} are on two file systems")

        monkeypatch.setattr(Path, "rename", refuse)
    judged: list[str | None] = []

    def look(path: Path) -> None:
        path.mkdir()
        for file in ("model.safetensors", "optimizer.pt"):
            (path / file).write_text("x")
            judged.append(judge(folder, files_in(folder)))
        assert (folder in path.parents) == is_inside

    with Checkpoints(folder, name=name) as checkpoints:
        checkpoints.save(1, write("x"))
        checkpoints.save(2, look)
    assert judged == [name.replace("{step}", "1")] * 2


def test_of_a_folder_every_part_must_have_reached_s3_and_both_notice_if_one_has_not(folder: Path) -> None:
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(1, write_folder(model="m"))
        before = files_in(folder)
        checkpoints.save(2, write_folder(model="m", optimizer="oo", scheduler="sss"))
    new = files_in(folder / "checkpoint-step-2")
    assert len(new) == 4
    for count in range(5):
        for uploaded in combinations(new, count):
            restored = folder.parent / "restored"
            for path in (*before, *uploaded):
                target = restored / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
            newest = Checkpoints(restored).newest()
            shutil.rmtree(restored)
            expected = "checkpoint-step-2" if count == 4 else "checkpoint-step-1"
            assert newest is not None
            assert newest.path.name == judge(folder, (*before, *uploaded)) == expected, uploaded
            # At the first checkpoint ever, too: the history is in S3 since the start.
            if count < 4:
                assert judge(folder, [folder / "spot-relay-history.json", *uploaded]) is None


def test_a_folder_that_a_framework_writes_counts_once_it_is_sealed(folder: Path) -> None:
    with Checkpoints(folder, name="epoch-{step}") as checkpoints:
        checkpoints.save(1, write("x"))
        write_folder(model="m")(folder / "epoch-2")
        assert judge(folder, files_in(folder)) == "epoch-1"
        checkpoints.seal(2)
        assert judge(folder, files_in(folder)) == "epoch-2"
