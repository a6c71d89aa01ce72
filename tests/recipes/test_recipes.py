"""Each recipe of examples/recipes trains for real, is stopped half-way, and goes on from its checkpoint to the end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from embedded.patience import give_time
from spot_relay_client.checkpoints import STOPPED
from tests.recipes.containers import FOLDER, Container, Recipe, finish, wait_for_start

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

MANY = 10**6  # more steps than a test has time for
KERAS = ".venv-recipes-keras"
TORCH = ".venv-recipes-torch"
ADAM = "max(int(one['step']) for one in {}['state'].values())"
XGBOOST = Recipe("train_xgboost.py", "--rounds", "__import__('xgboost').Booster(model_file=path).num_boosted_rounds()")
PYTORCH = Recipe("train_pytorch.py", "--steps", ADAM.format("__import__('torch').load(path)['optimizer']"), TORCH)
DDP = Recipe("train_pytorch_ddp.py", "--steps", PYTORCH.count, TORCH)
RECIPES = (
    XGBOOST,
    Recipe(
        "train_keras.py",
        "--epochs",
        "int(__import__('keras').models.load_model(path).optimizer.iterations) / 10",  # steps in an epoch
        KERAS,
    ),
    PYTORCH,
    Recipe("train_transformers.py", "--steps", ADAM.format("__import__('torch').load(path + '/optimizer.pt')"), TORCH),
    Recipe(
        "train_lightning.py", "--steps", ADAM.format("__import__('torch').load(path)['optimizer_states'][0]"), TORCH
    ),
)


def mark(recipe: Recipe) -> object:
    """Return a recipe as a parameter. With a library that is not among the tests' packages, it has its own command."""
    marks = [] if recipe.environment is None else [pytest.mark.recipes]
    return pytest.param(recipe, id=recipe.script, marks=marks)


ALL = [mark(recipe) for recipe in RECIPES]
# What torchrun does, but that the processes find each other by a file: torchrun listens on every interface.
LAUNCH = """
import runpy, sys, torch
rank, meeting = int(sys.argv[1]), sys.argv[2]
begin = torch.distributed.init_process_group
torch.distributed.init_process_group = lambda backend: begin(
    backend, init_method=f"file://{meeting}", rank=rank, world_size=2
)
del sys.argv[:3]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def container(recipe: Recipe, tmp_path: Path) -> Container:
    if not recipe.python.exists():
        pytest.skip(f"{recipe.environment} is not set up")
    container = Container(tmp_path, recipe)
    container.prepare()
    return container


def test_every_recipe_is_tested() -> None:
    assert {recipe.script for recipe in (*RECIPES, DDP)} == {path.name for path in FOLDER.glob("*.py")}


def assert_goes_on(container: Container) -> None:
    """Start the training again, and check that it trains what is missing, on top of the newest checkpoint."""
    newest = container.newest()
    assert newest is not None
    assert newest.step > 0
    total = newest.step + 5
    process = container.start(total, save_every=0)
    assert wait_for_start(process).endswith(f" {newest.step}")
    finish(process)
    last = container.newest()
    assert last is not None
    assert container.count_steps(last) == last.step == total
    assert container.read_history().interruptions == 1
    assert not container.read_history().is_running
    assert list(container.model.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ALL)
def test_after_a_sigterm_a_training_saves_and_ends_and_the_next_one_goes_on(container: Container) -> None:
    process = container.start(MANY, save_every=3600)
    assert wait_for_start(process).endswith(" 0")
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=give_time(90))
    assert process.returncode == STOPPED, printed[-3000:]
    assert not list(container.model.iterdir())
    assert_goes_on(container)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ALL)
def test_a_training_that_is_killed_at_any_moment_goes_on_from_the_newest_complete_checkpoint(
    container: Container,
) -> None:
    process = container.start(MANY, save_every=0)
    container.wait_for_steps(5)
    process.kill()
    process.communicate(timeout=give_time(30))
    assert_goes_on(container)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [mark(PYTORCH)])
def test_the_weights_are_those_of_a_training_that_was_never_interrupted(container: Container, tmp_path: Path) -> None:
    process = container.start(MANY, save_every=0)
    container.wait_for_steps(3)
    process.kill()
    process.communicate(timeout=give_time(30))
    newest = container.newest()
    assert newest is not None
    total = newest.step + 5
    finish(container.start(total, save_every=0))
    whole = Container(tmp_path / "whole", container.recipe)
    whole.prepare()
    finish(whole.start(total, save_every=3600))
    assert (whole.model / "model.pt").read_bytes() == (container.model / "model.pt").read_bytes()


def start_two(container: Container, steps: int, save_every: float) -> list[subprocess.Popen[str]]:
    """Start two processes that train together."""
    meeting = container.base / f"meeting-{steps}"
    launchers = [("-c", LAUNCH, str(rank), str(meeting)) for rank in range(2)]
    return [container.start(steps, save_every=save_every, launcher=launcher) for launcher in launchers]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [mark(DDP)])
def test_two_processes_save_once_after_a_sigterm_and_go_on_together(container: Container) -> None:
    processes = start_two(container, MANY, save_every=3600)
    for process in processes:
        assert wait_for_start(process).endswith(" 0")
    for process in processes:
        process.send_signal(signal.SIGTERM)
    printed = [process.communicate(timeout=give_time(90))[0][-3000:] for process in processes]
    assert processes[0].returncode == STOPPED, printed
    newest = container.newest()
    assert newest is not None
    assert newest.step > 0

    processes = start_two(container, newest.step + 5, save_every=0)
    for process in processes:
        assert wait_for_start(process).endswith(f" {newest.step}")
    for process in processes:
        finish(process)
    last = container.newest()
    assert last is not None
    assert container.count_steps(last) == last.step == newest.step + 5
    assert [path.name for path in container.model.iterdir()] == ["model.pt"]
