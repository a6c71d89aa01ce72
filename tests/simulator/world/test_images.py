"""Which images run as real processes, and what runs in their place."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from simulator.world.images import Images, ImagesError

if TYPE_CHECKING:
    from pathlib import Path

ECR = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
FILE = """
python_path: ../modules
images:
  boosting:
    stands_for: ["*.dkr.ecr.*/xgboost:*", "*/sagemaker-xgboost:*"]
  forecasting:
    stands_for: ["*/forecasting-deepar:*"]
    python: ../venv/bin/python
    environment: {THREADS: "1"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of images, and beside it a virtual environment whose Python is a link, as usual."""
    made = tmp_path / "images"
    for name in ("boosting", "forecasting", "plain"):
        (made / name).mkdir(parents=True)
    (made / "images.yaml").write_text(FILE)
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(sys.executable)
    return made


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (f"{ECR}/xgboost:1", "boosting"),
        (f"{ECR}/sagemaker-xgboost:1.0-1-cpu-py3", "boosting"),
        (f"{ECR}/forecasting-deepar:1", "forecasting"),
        ("local/boosting", "boosting"),
        ("local/plain:2", "plain"),
    ],
)
def test_an_image_runs_as_the_folder_that_stands_for_it(folder: Path, image: str, name: str) -> None:
    images = Images.read(folder)
    assert images.runs(image)
    assert images.find(image).folder == folder / name


@pytest.mark.parametrize("image", [f"{ECR}/image-classification:1", "boosting", f"{ECR}/local/boosting:1"])
def test_every_other_image_is_simulated(folder: Path, image: str) -> None:
    assert not Images.read(folder).runs(image)
    assert not Images.read(None).runs(f"{ECR}/xgboost:1")


def test_an_algorithm_without_an_image_is_simulated(folder: Path) -> None:
    assert not Images.read(folder).runs("")


def test_an_image_has_the_python_and_the_variables_of_its_entry(folder: Path) -> None:
    images = Images.read(folder)
    forecasting = images.find(f"{ECR}/forecasting-deepar:1")
    assert forecasting.python == folder.parent / "venv" / "bin" / "python"
    assert forecasting.environment == {"PYTHONPATH": str(folder.parent / "modules"), "THREADS": "1"}
    plain = images.find("local/plain")
    assert os.fspath(plain.python) == sys.executable
    assert plain.environment == {"PYTHONPATH": str(folder.parent / "modules")}


@pytest.mark.parametrize("image", ["local/", "local/..", "local/missing", "local/a/b"])
def test_an_image_without_a_folder_is_not_found(folder: Path, image: str) -> None:
    assert Images.read(folder).runs(image)
    with pytest.raises(LookupError, match=rf"Requested image {image} not found"):
        Images.read(folder).find(image)


def test_a_python_that_is_missing_is_named(folder: Path) -> None:
    (folder.parent / "venv" / "bin" / "python").unlink()
    with pytest.raises(ValueError, match=r"forecasting-deepar:1 runs with .*/venv/bin/python, which does not exist"):
        Images.read(folder).find(f"{ECR}/forecasting-deepar:1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("images: [", "is not YAML"),
        ("images: {a: {standsfor: []}}", r"images.a.standsfor: Extra inputs"),
        ("images: {a: {stands_for: x}}", r"images.a.stands_for: Input should be a valid tuple"),
        ("[]", "valid dictionary"),
    ],
)
def test_an_invalid_file_is_refused_with_the_name_of_each_field(folder: Path, text: str, message: str) -> None:
    (folder / "images.yaml").write_text(text)
    with pytest.raises(ImagesError, match=message):
        Images.read(folder)
