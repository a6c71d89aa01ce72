"""Saving, finding and deleting checkpoints."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from embedded.patience import give_time
from spot_relay_client.checkpoints import Checkpoint, Checkpoints
from tests.unit.client.checkpoints.writing import names, steps, write, write_folder

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


def test_a_folder_that_does_not_exist_has_no_checkpoint(folder: Path) -> None:
    assert Checkpoints(folder).newest() is None
    assert not folder.exists()


def test_a_file_that_was_saved_is_found_by_the_next_start(folder: Path) -> None:
    with Checkpoints(folder, name="step-{step}.pt") as checkpoints:
        assert checkpoints.newest() is None
        checkpoints.save(9, write("nine"))
        checkpoints.save(10, write("ten"))
    newest = Checkpoints(folder, name="step-{step}.pt").newest()
    assert newest == Checkpoint(10, folder / "step-10.pt")
    assert newest.path.read_text() == "ten"


def test_a_folder_that_was_saved_is_found_with_all_its_files(folder: Path) -> None:
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(5, write_folder(model="m", optimizer="oo"))
        newest = checkpoints.newest()
    assert newest == Checkpoint(5, folder / "checkpoint-step-5")
    assert (newest.path / "parts" / "optimizer").read_text() == "oo"
    listed = json.loads((newest.path / "spot-relay-2-files.json").read_text())
    assert listed == {"files": {"parts/model": 1, "parts/optimizer": 2}}


def test_the_folder_is_the_one_that_the_container_names_or_else_that_of_sagemaker(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SM_CHECKPOINT_DIR", str(folder))
    with Checkpoints() as checkpoints:
        checkpoints.save(1, write("1"))
    assert names(folder) == {"checkpoint-step-1"}
    monkeypatch.delenv("SM_CHECKPOINT_DIR")
    assert Checkpoints()._folder.path == Path("/opt/ml/checkpoints")


def test_the_write_sees_a_free_path_with_the_name_that_it_will_have(folder: Path) -> None:
    seen: list[Path] = []

    def look(path: Path) -> None:
        assert not path.exists()
        seen.append(path)
        path.write_text("x")

    with Checkpoints(folder, name="step-{step}.keras") as checkpoints:
        checkpoints.save(7, look)
        checkpoints.save(7, look)
    assert [path.name for path in seen] == ["step-7.keras"] * 2


@pytest.mark.parametrize("content", [write("new"), write_folder(model="new")], ids=["file", "folder"])
@pytest.mark.parametrize("earlier", [write("old"), write_folder(old="old")], ids=["file", "folder"])
def test_the_same_step_can_be_saved_again(
    folder: Path, earlier: Callable[[Path], object], content: Callable[[Path], object]
) -> None:
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(3, earlier)
        checkpoints.save(3, content)
        assert steps(checkpoints) == [3]
    files = [path for path in (folder, *folder.rglob("*")) if path.is_file() and not path.name.startswith("spot-relay")]
    assert [path.read_text() for path in files] == ["new"]


def test_a_write_that_fails_leaves_everything_as_it_was(folder: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError("No space left on device")

    with Checkpoints(folder) as checkpoints:
        checkpoints.save(1, write("one"))
        for step in (1, 2):
            with pytest.raises(OSError, match="No space left"):
                checkpoints.save(step, fail)
        newest = checkpoints.newest()
    assert newest == Checkpoint(1, folder / "checkpoint-step-1")
    assert newest.path.read_text() == "one"
    assert names(folder) == {"checkpoint-step-1"}
    assert [path.name for path in folder.parent.iterdir()] == ["checkpoints"]


def test_what_can_not_be_renamed_from_beside_the_folder_is_written_inside(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def rename_within_one_file_system(self: Path, target: Path) -> Path:
        if folder not in self.parents:
            raise OSError(18, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_within_one_file_system)
    seen: list[str] = []

    def look(path: Path) -> None:
        seen.append(path.relative_to(folder).as_posix())
        path.write_text("x")

    with Checkpoints(folder) as checkpoints:
        checkpoints.save(1, look)
        checkpoints.save(1, write_folder(model="m"))
        assert steps(checkpoints) == [1]
    assert seen == [".tmp-unfinished.sagemaker-ignore/checkpoint-step-1"]
    assert names(folder) == {"checkpoint-step-1"}


# What is not complete.


def test_an_empty_file_is_not_complete(folder: Path) -> None:
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(1, write("1"))
        (folder / "checkpoint-step-2").touch()
        assert steps(checkpoints) == [1]


@pytest.mark.parametrize("damage", ["missing", "shorter", "longer", "no list", "bad list", "other list"])
def test_a_folder_with_anything_missing_is_not_complete(folder: Path, damage: str) -> None:
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(1, write_folder(model="m"))
        checkpoints.save(2, write_folder(model="mm", optimizer="oo"))
        assert steps(checkpoints) == [2, 1]
        newest = folder / "checkpoint-step-2"
        listed = newest / "spot-relay-2-files.json"
        match damage:
            case "missing":
                (newest / "parts" / "model").unlink()
            case "shorter" | "longer":
                (newest / "parts" / "model").write_text(damage[:1] if damage == "shorter" else damage)
            case "no list":
                listed.unlink()
            case "bad list":
                listed.write_text('{"files": [')
            case _:
                listed.write_text('{"files": 3}')
        assert steps(checkpoints) == [1]


def test_names_of_another_form_are_not_checkpoints(folder: Path) -> None:
    with Checkpoints(folder, name="step-{step}.pt") as checkpoints:
        for name in ("step-.pt", "step-3.pt.sagemaker-uploaded", "step-4", "xstep-5.pt", "step-6.pt.tmp", "step--7.pt"):
            (folder / name).write_text("x")
        assert checkpoints.newest() is None
        (folder / "step-0008.pt").write_text("x")
        assert checkpoints.newest() == Checkpoint(8, folder / "step-0008.pt")


# What is kept.


def test_older_checkpoints_are_deleted(folder: Path) -> None:
    with Checkpoints(folder, keep=2) as checkpoints:
        for step in (8, 9, 10, 11):
            checkpoints.save(step, write("x") if step % 2 else write_folder(model="m"))
        assert steps(checkpoints) == [11, 10]
    assert names(folder) == {"checkpoint-step-10", "checkpoint-step-11"}


def test_all_are_kept_if_wanted(folder: Path) -> None:
    with Checkpoints(folder, keep=None) as checkpoints:
        for step in range(6):
            checkpoints.save(step, write("x"))
        assert steps(checkpoints) == [5, 4, 3, 2, 1, 0]


def test_incomplete_ones_are_deleted_and_take_no_place_from_complete_ones(folder: Path) -> None:
    with Checkpoints(folder, keep=2) as checkpoints:
        checkpoints.save(1, write_folder(model="m"))
        for step in (2, 3):
            (folder / f"checkpoint-step-{step}").mkdir()
            (folder / f"checkpoint-step-{step}" / "model").write_text("half")
        checkpoints.save(4, write_folder(model="m"))
    assert names(folder) == {"checkpoint-step-1", "checkpoint-step-4"}


def test_what_has_more_steps_than_was_saved_now_is_left_alone(folder: Path) -> None:
    with Checkpoints(folder, keep=1) as checkpoints:
        checkpoints.save(500, write("x"))
        checkpoints.save(10, write("x"))
        checkpoints.save(20, write("x"))
        assert steps(checkpoints) == [500, 20]


def test_what_sagemaker_is_uploading_is_deleted_only_later(folder: Path) -> None:
    with Checkpoints(folder, keep=1) as checkpoints:
        checkpoints.save(1, write("x"))
        checkpoints.save(2, write_folder(model="m"))
        markers = (
            folder / "checkpoint-step-2" / "parts" / "model.sagemaker-uploading",
            folder / "checkpoint-step-3.sagemaker-uploading",
        )
        markers[0].touch()
        checkpoints.save(3, write("x"))
        markers[1].touch()
        checkpoints.save(4, write("x"))
        assert steps(checkpoints) == [4, 3, 2]
        for marker in markers:
            marker.with_name(marker.name.replace("uploading", "uploaded")).touch()
        checkpoints.save(5, write("x"))
        assert steps(checkpoints) == [5]


# Folders that a framework writes by itself.


def test_a_folder_of_a_framework_counts_once_it_is_sealed(folder: Path) -> None:
    with Checkpoints(folder, name="checkpoint-{step}", keep=1) as checkpoints:
        for step in (5, 10):
            write_folder(model="m")(folder / f"checkpoint-{step}")
            assert step not in steps(checkpoints)
            checkpoints.seal(step)
            assert steps(checkpoints) == [step]


def test_a_folder_that_is_sealed_again_has_the_new_list(folder: Path) -> None:
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(1, write_folder(model="m"))
        (folder / "checkpoint-step-1" / "more").write_text("x")
        checkpoints.seal(1)
        assert steps(checkpoints) == [1]
    assert names(folder / "checkpoint-step-1") == {"parts", "more", "spot-relay-2-files.json"}


def test_what_is_not_there_can_not_be_sealed(folder: Path) -> None:
    with Checkpoints(folder) as checkpoints:
        (folder / "checkpoint-step-2").mkdir()
        for step in (1, 2):
            with pytest.raises(ValueError, match=f"no folder with files at .*checkpoint-step-{step}"):
                checkpoints.seal(step)


# Mistakes.


@pytest.mark.parametrize(
    "name", ["", "step", "{step}", "a/{step}", ".step-{step}", "{step}-{step}", "-{step}", "{step:05}"]
)
def test_a_name_without_a_usable_place_for_the_step_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"must contain \{step\} once and no slash, and begin with a letter or digit"):
        Checkpoints(folder, name=name)


def test_numbers_that_make_no_sense_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="keep is 0, which would leave no checkpoint"):
        Checkpoints(folder, keep=0)
    with pytest.raises(ValueError, match="every is -1"):
        Checkpoints(folder, every=-1)
    with Checkpoints(folder) as checkpoints, pytest.raises(ValueError, match="step is -1"):
        checkpoints.save(-1, write("x"))


def test_outside_of_its_with_statement_nothing_can_be_saved(folder: Path) -> None:
    checkpoints = Checkpoints(folder)
    for call in (checkpoints.due, lambda: checkpoints.save(1, write("x")), lambda: checkpoints.seal(1)):
        with pytest.raises(RuntimeError, match="in a with statement"):
            call()


def test_a_write_that_leaves_nothing_is_an_error_that_says_what_it_has_made(folder: Path) -> None:
    with Checkpoints(folder) as checkpoints:
        with pytest.raises(ValueError, match="has not made the file or folder checkpoint-step-1, and nothing else"):
            checkpoints.save(1, lambda _: None)
        with pytest.raises(ValueError, match=r"but checkpoint-step-1\.npz: give the name the ending that it wants"):
            checkpoints.save(1, lambda path: Path(f"{path}.npz").write_text("x"))
        with pytest.raises(ValueError, match="has made checkpoint-step-1, but it is empty"):
            checkpoints.save(1, Path.touch)
        with pytest.raises(ValueError, match="has made checkpoint-step-1, but it is empty"):
            checkpoints.save(1, Path.mkdir)
        assert checkpoints.newest() is None


def test_a_folder_that_can_not_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(OSError, match="file"), Checkpoints(tmp_path / "file" / "checkpoints"):
        pytest.fail("entered")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread_sigterm_can_not_be_handled_and_nothing_is_noted(folder: Path) -> None:
    raised: list[BaseException] = []

    def enter(*, handle_sigterm: bool) -> None:
        try:
            with Checkpoints(folder, handle_sigterm=handle_sigterm) as checkpoints:
                checkpoints.save(1, write("x"))
        except RuntimeError as error:
            raised.append(error)

    for handle_sigterm in (True, False):
        thread = threading.Thread(target=enter, kwargs={"handle_sigterm": handle_sigterm})
        thread.start()
        thread.join(timeout=give_time(10))
        assert len(raised) == 1
        assert folder.exists() != handle_sigterm
