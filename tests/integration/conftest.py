"""Fixtures: a clean AWS and a stack in it, for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spot_relay import bootstrap
from tests.integration.sagemakers import Memory, Simulated, Virtual
from tests.security.watched import WatchedStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.fake_aws import FakeAWS
    from tests.integration.sagemakers import World
    from tests.integration.scenes import End, How, Scene
    from tests.integration.stack import Stack

# So that what it asserts is told as a test's own assertions are; it has to be asked for before the import.
pytest.register_assert_rewrite("tests.integration.scenes")


@pytest.fixture
def aws(fake_aws: FakeAWS, monkeypatch: pytest.MonkeyPatch) -> FakeAWS:
    """An AWS in which nothing exists yet, and an environment that leads to it."""
    for name, value in fake_aws.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(bootstrap, "create_client", fake_aws.client)
    fake_aws.moto.forget()
    fake_aws.step_functions.forget()
    return fake_aws


@pytest.fixture
def stack(aws: FakeAWS, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The stack, deployed in it, at the time at which the story of the event documents begins.

    Its functions have the rights of their roles. They may be refused the listing of a bucket: of some training's data.
    """
    deployed = WatchedStack(aws)
    for name, value in deployed.environment().items():
        monkeypatch.setenv(name, value)
    yield deployed
    assert [str(request) for _, request in deployed.watch.refused if request.action != "s3:ListBucket"] == []


@pytest.fixture
def sagemaker(aws: FakeAWS) -> Iterator[Simulated]:
    """The simulator through boto3, with its clock at noon."""
    world = Simulated(aws)
    yield world
    world.client.close()


@pytest.fixture(params=["memory", "virtual", "sagemaker"])
def world(request: pytest.FixtureRequest) -> World:
    """A SageMaker: those in memory, as tests leave it and on virtual time, then the simulator."""
    match request.param:
        case "memory":
            return Memory()
        case "virtual":
            return Virtual()
        case _:
            found: World = request.getfixturevalue("sagemaker")
            return found


@pytest.fixture(scope="session")
def ends() -> dict[tuple[Scene, How], End]:
    """How scenes end when nothing is killed, once they were played."""
    return {}


@pytest.fixture
def undisturbed(
    stack: Stack, ends: dict[tuple[Scene, How], End], capsys: pytest.CaptureFixture[str]
) -> Callable[[Scene, How], End]:
    """Return how a scene ends when nothing is killed."""
    from tests.integration import scenes

    def end(scene: Scene, how: How) -> End:
        if (scene, how) not in ends:
            ends[scene, how] = scenes.undisturbed(stack, scene, how, capsys)
        return ends[scene, how]

    return end
