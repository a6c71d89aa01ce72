"""Each image that the examples use has a folder that stands for it, in every region, and a README."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.world.images import Images
from spot_relay.request.built_in_images import find_image, load_images
from tests.example_specs import SPECS, read_example
from workshop.rows import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = EXAMPLES / "images"
IMAGES = Images.read(FOLDER)
ALGORITHMS = {
    "xgboost@1.0-1": "xgboost",
    "xgboost@1": "xgboost",
    "forecasting-deepar": "deepar",
    "image-classification": "image_classification",
    "object-detection": "object_detection",
}


def folder_for(image: str) -> Path | None:
    """Return the folder that runs in place of an image, whether or not its Python is installed."""
    name = IMAGES._name_of(image) if IMAGES.runs(image) else None
    return None if name is None else FOLDER / name


@pytest.mark.parametrize(("algorithm", "folder"), ALGORITHMS.items())
def test_an_algorithm_has_its_folder_in_every_region(algorithm: str, folder: str) -> None:
    name, _, version = algorithm.partition("@")
    images = load_images()
    _, _, index = images["algorithms"][name][version or "1"]
    for region in images["registries"][index]:
        assert folder_for(find_image(algorithm, region)) == FOLDER / folder, region


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_every_example_trains_for_real(path: Path) -> None:
    spec = read_example(path)
    algorithm = spec.get("estimator", {}).get("algorithm")
    image = spec["training_job"]["AlgorithmSpecification"].get("TrainingImage") or find_image(algorithm, "us-east-1")
    folder = folder_for(image)
    assert folder is not None
    assert (folder / "train.py").is_file()
    assert (folder / "README.md").is_file()
    assert f"({folder.name}/README.md)" in (FOLDER / "README.md").read_text("utf-8")


def test_other_algorithms_are_simulated() -> None:
    assert folder_for(find_image("kmeans", "us-east-1")) is None
