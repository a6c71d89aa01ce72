"""The pinned packages of the layers exist for every runtime and architecture, each compiled module being the right one.

The layers are built as for AWS, whatever Python and processor this machine has, and nothing of them is run. `make test`
leaves this out, because it needs a package registry; `make layers` and CI run it.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from importlib.metadata import PathDistribution
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from bench.start.packages import ROOT, build_layers
from embedded.sam import sam_environment
from spot_relay.layer_fit import BUILT_FOR

if TYPE_CHECKING:
    from pathlib import Path

# What Lambda's base images have: Amazon Linux 2 under Python 3.11, Amazon Linux 2023 from Python 3.12 on.
GLIBC: Final = {"3.11": (2, 26), "3.12": (2, 34), "3.13": (2, 34), "3.14": (2, 34)}
# The machine's number in the header of an ELF file.
MACHINES: Final = {"x86_64": 62, "aarch64": 183}


class Target(NamedTuple):
    """A runtime of Lambda on one architecture."""

    python: str
    machine: str

    @property
    def tag(self) -> str:
        """The version as wheels write it, such as ``313``."""
        return self.python.replace(".", "")

    def __str__(self) -> str:
        return f"{self.python}-{self.machine}"


TARGETS: Final = [Target(python, machine) for python in GLIBC for machine in MACHINES]


def pinned() -> set[str]:
    """Return the names of the packages that the layer pins, as their folders write them."""
    text = (ROOT / "layers" / "dependencies" / "requirements.txt").read_text("utf-8")
    return {name.replace("-", "_") for name in re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)}


def machine_of(module: Path) -> int:
    """Return the number of the machine that a compiled module is for."""
    header = module.read_bytes()[:20]
    assert header[:4] == b"\x7fELF", f"{module.name} is not an ELF file"
    (number,) = struct.unpack_from("<H", header, 18)
    return int(number)


def glibc_of(platform: str) -> tuple[int, int] | None:
    """Return the version of the C library that a platform tag asks for, or None if it is not glibc."""
    older = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
    if (name := platform.partition("_")[0]) in older:
        return older[name]
    found = re.match(r"manylinux_(\d+)_(\d+)_", platform)
    return (int(found[1]), int(found[2])) if found else None


def check_module(module: Path, target: Target) -> None:
    """Check that a compiled module is for this interpreter and this machine."""
    abi = re.search(r"\.(cpython-(\d+)-(\w+)-linux-gnu|abi3)\.so$", module.name)
    assert abi, f"{module.name} names neither an interpreter nor abi3"
    assert abi[2] in {None, target.tag}, f"{module.name} is not for Python {target.python}"
    assert abi[3] in {None, target.machine}, f"{module.name} is not for {target.machine}"
    assert machine_of(module) == MACHINES[target.machine], f"{module.name} is not compiled for {target.machine}"


def check_bytecode(folder: Path, target: Target) -> None:
    """Check that whatever is compiled to bytecode is compiled for this interpreter: another one would ignore it."""
    assert {path.suffixes[-2] for path in folder.rglob("*.pyc")} <= {f".cpython-{target.tag}"}


def can_load(target: Target, tag: str) -> bool:
    """Whether Lambda can load a wheel that has this tag."""
    python, abi, platform = tag.split("-")
    if platform == "any":
        return (python, abi) == ("py3", "none")
    for_this_python = python == abi == f"cp{target.tag}"
    for_it_and_later_ones = abi == "abi3" and int(python.removeprefix("cp3")) <= int(target.tag.removeprefix("3"))
    glibc = glibc_of(platform)
    for_this_platform = glibc is not None and glibc <= GLIBC[target.python] and platform.endswith(f"_{target.machine}")
    return (for_this_python or for_it_and_later_ones) and for_this_platform


def tags_of(package: Path) -> list[str]:
    """Return the tags of the wheel that an installed package came from."""
    wheel = PathDistribution(package).read_text("WHEEL")
    assert wheel, f"{package.name} was not installed from a wheel"
    return re.findall(r"^Tag: (\S+)$", wheel, re.MULTILINE)


@pytest.mark.registry
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_every_package_has_a_wheel_that_lambda_can_load(target: Target, tmp_path: Path) -> None:
    architecture = {"aarch64": "arm64"}.get(target.machine, target.machine)
    dependencies, _ = build_layers(tmp_path, f"python{target.python}-{architecture}")
    packages = sorted(dependencies.glob("*.dist-info"))
    assert {package.name.partition("-")[0] for package in packages} == pinned()
    for package in packages:
        tags = tags_of(package)
        assert any(can_load(target, tag) for tag in tags), f"{package.stem} is a wheel for {tags}"
    modules = list(dependencies.rglob("*.so"))
    assert {"msgspec", "pydantic_core", "yaml"} <= {module.relative_to(dependencies).parts[0] for module in modules}
    for module in modules:
        check_module(module, target)
    check_bytecode(dependencies, target)
    assert (dependencies / BUILT_FOR).read_text("utf-8") == f"python{target.python} {architecture}\n"


@pytest.mark.registry
def test_sam_builds_the_layers_for_the_runtime_and_architecture_of_the_deployment(tmp_path: Path) -> None:
    """Once as samconfig.toml has it, once for another choice; this machine has at most one of them."""
    chosen = [None, Target("3.14", "x86_64")]
    for target in chosen:
        overrides = (
            ["--parameter-overrides", f"PythonRuntime=python{target.python}", "Architecture=x86_64"] if target else []
        )
        place = tmp_path / str(target)
        command = [
            sys.executable,
            "-m",
            "samcli",
            "build",
            "--config-env",
            "dev",
            "--build-dir",
            str(place),
            *overrides,
        ]
        environment = sam_environment({"AWS_DEFAULT_REGION": "us-east-1"})
        outcome = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert outcome.returncode == 0, outcome.stderr[-2000:]
        dependencies = place / "DependenciesLayer" / "python"
        for module in dependencies.rglob("*.so"):
            check_module(module, target or Target("3.13", "aarch64"))
        for layer in ("DependenciesLayer", "SpotRelayLayer"):
            check_bytecode(place / layer, target or Target("3.13", "aarch64"))
        expected = "python3.14 x86_64\n" if target else "python3.13 arm64\n"
        assert (dependencies / BUILT_FOR).read_text("utf-8") == expected


def test_bytecode_of_another_python_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.cpython-312.pyc").touch()
    check_bytecode(tmp_path, Target("3.12", "x86_64"))
    with pytest.raises(AssertionError):
        check_bytecode(tmp_path, Target("3.13", "x86_64"))


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("py3-none-any", True),
        ("cp313-cp313-manylinux_2_17_x86_64", True),
        ("cp313-cp313-manylinux2014_x86_64", True),
        ("cp313-cp313-manylinux_2_34_x86_64", True),
        ("cp38-abi3-manylinux_2_17_x86_64", True),
        ("cp312-cp312-manylinux_2_17_x86_64", False),
        ("cp313-cp313t-manylinux_2_17_x86_64", False),
        ("cp313-cp313-manylinux_2_17_aarch64", False),
        ("cp313-cp313-manylinux_2_35_x86_64", False),
        ("cp313-cp313-musllinux_1_2_x86_64", False),
        ("cp314-abi3-manylinux_2_17_x86_64", False),
        ("py2-none-any", False),
    ],
)
def test_a_wheel_fits_a_runtime_by_its_python_its_machine_and_its_c_library(tag: str, fits: bool) -> None:
    assert can_load(Target("3.13", "x86_64"), tag) is fits


@pytest.mark.parametrize("name", ["_c.cpython-312-x86_64-linux-gnu.so", "_c.cpython-313-aarch64-linux-gnu.so", "_c.so"])
def test_a_module_for_another_runtime_would_be_noticed(name: str, tmp_path: Path) -> None:
    module = tmp_path / name
    module.write_bytes(b"\x7fELF" + bytes(14) + struct.pack("<H", MACHINES["x86_64"]))
    with pytest.raises(AssertionError):
        check_module(module, Target("3.13", "x86_64"))


def test_a_module_compiled_for_another_machine_would_be_noticed(tmp_path: Path) -> None:
    module = tmp_path / "_c.abi3.so"
    module.write_bytes(b"\x7fELF" + bytes(14) + struct.pack("<H", MACHINES["aarch64"]))
    with pytest.raises(AssertionError, match="not compiled for x86_64"):
        check_module(module, Target("3.13", "x86_64"))
