"""What is built from the tree is what a user gets: nothing missing, nothing that was not asked for."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLOUD_SDKS = re.compile(r"^(boto|aws|azure|google|openstack|keystone|moto)")


def run(*command: str | Path, timeout: int = 120) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def name_of(requirement: str) -> str:
    """The distribution's normalised name in ``Name[extra]>=1; marker``."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;(]", requirement, maxsplit=1)[0]).lower()


def needed(names: Sequence[str]) -> Iterator[str]:
    """The names and what they need in turn, extras left out."""
    todo, seen = list(names), set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        yield name
        needs = distribution(name).requires or []
        todo += [name_of(need) for need in needs if "extra ==" not in need and installed(name_of(need))]


def installed(name: str) -> bool:
    """Whether it is here: a requirement with a marker for another Python is not."""
    try:
        distribution(name)
    except ModuleNotFoundError:
        return False
    return True


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of the core and of the Linux plugin, built without a network."""
    where = tmp_path_factory.mktemp("wheels")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
        "--wheel-dir", where, ROOT, ROOT / "plugins/linux")  # fmt: skip
    return where


def contents(wheels: Path, name: str) -> set[str]:
    (wheel,) = wheels.glob(f"{name}-*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.parametrize(
    ("name", "package"), [("wgfo", ROOT / "core/wgfo"), ("wgfo_linux", ROOT / "plugins/linux/wgfo_linux")]
)
def test_a_wheel_holds_its_package_and_nothing_else(wheels: Path, name: str, package: Path) -> None:
    source = {
        str(path.relative_to(package.parent))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {entry for entry in contents(wheels, name) if ".dist-info/" not in entry} == source
    assert f"{name}/py.typed" in source


def test_the_core_wheel_bears_the_licence(wheels: Path) -> None:
    assert any(entry.endswith("licenses/LICENSE") for entry in contents(wheels, "wgfo"))


@pytest.fixture(scope="module")
def bare_metal(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment after ``pip install 'wgfo[linux]'``; libraries are linked in from this one."""
    where = tmp_path_factory.mktemp("venv")
    venv.create(where, with_pip=True, symlinks=True)
    site = next(where.glob("lib/python*/site-packages"))
    for name in set(needed(["wgfo", "wgfo-linux"])) - {"wgfo", "wgfo-linux"}:
        link_distribution(name, site)
    run(where / "bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--find-links", wheels,
        "wgfo[linux]")  # fmt: skip
    return where


def link_distribution(name: str, site: Path) -> None:
    """Link what a library installed next to its metadata; pip then finds it there."""
    dist = distribution(name)
    tops = {file.parts[0] for file in dist.files or ()}
    for top in tops - {"..", "__pycache__"}:
        (site / top).symlink_to(str(dist.locate_file(top)))


def test_a_bare_metal_user_gets_no_cloud_sdk(bare_metal: Path) -> None:
    names = run(bare_metal / "bin/python", "-m", "pip", "list", "--format=freeze").split()
    assert {"wgfo==0.1.0", "wgfo-linux==0.1.0"} <= set(names)
    assert [name for name in names if CLOUD_SDKS.match(name)] == []


def test_the_installed_command_answers(bare_metal: Path) -> None:
    assert "run" in run(bare_metal / "bin/wgfo", "--help")


def test_the_installed_plugins_are_found_through_their_entry_points(bare_metal: Path) -> None:
    listed = run(bare_metal / "bin/wgfo", "plugins", "--json")
    assert '"linux"' in listed
    assert '"icmp"' in listed


def test_every_plugin_needs_the_core_of_its_own_version() -> None:
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for path in ROOT.glob("plugins/*/pyproject.toml"):
        plugin = tomllib.loads(path.read_text())["project"]
        assert plugin["version"] == core["version"]
        assert f"wgfo=={core['version']}" in plugin["dependencies"]
        assert core["optional-dependencies"][path.parent.name] == [f"{plugin['name']}=={core['version']}"]


def test_every_plugin_has_its_place_in_the_workspace() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    for package in ROOT.glob("plugins/*/wgfo_*"):
        assert package.name in tools["mypy"]["packages"]
        assert package.name in tools["coverage"]["run"]["source"]
        assert package.name in tools["importlinter"]["root_packages"]
        assert f"plugins/{package.parent.name}" in tools["mypy"]["mypy_path"]
        assert f"plugins/{package.parent.name}" in tools["ruff"]["src"]
        assert package.name.replace("_", "-") in tools["uv"]["sources"]


def test_every_constraint_is_a_plain_pin() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.+]+", line)] == []


def test_the_constraints_pin_whatever_an_installation_draws_in() -> None:
    pins = {name_of(line) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = [name_of(need) for need in project["optional-dependencies"]["dev"]]
    assert {*needed([*direct, "wgfo", "wgfo-linux"])} - {"wgfo", "wgfo-linux"} <= pins
