"""The import rules hold, and each of them notices when it does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(ROOT.glob("plugins/*/wgfo_*"))
PACKAGES = (ROOT / "core/wgfo", *PLUGINS)
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}

FORBIDDEN = [
    ("layers", "wgfo/config/__init__.py", "import wgfo.daemon"),
    ("layers", "wgfo/engine/policy.py", "import wgfo.plugin.route"),
    ("layers", "wgfo/plugin/route.py", "import wgfo.engine.policy"),
    ("layers", "wgfo/model.py", "import wgfo.config"),
    ("layers", "wgfo/daemon/__init__.py", "import wgfo.cli"),
    ("layers", "wgfo/daemon/__init__.py", "import wgfo.simulate"),
    ("layers", "wgfo/lab/__init__.py", "import wgfo.testing"),
    ("layers", "wgfo/telemetry/__init__.py", "def late():\n    import wgfo.daemon"),
    *(
        ("pure-engine", "wgfo/engine/policy.py", f"import {module}")
        for module in CONTRACTS["pure-engine"]["forbidden_modules"]
    ),
    ("pure-engine", "wgfo/model.py", "from time import monotonic_ns"),
    *(
        ("core-knows-no-plugin", "wgfo/lab/__init__.py", f"import {module}")
        for module in CONTRACTS["core-knows-no-plugin"]["forbidden_modules"]
    ),
    *(
        ("plugins-see-the-contract", "wgfo_linux/__init__.py", f"import {module}")
        for module in CONTRACTS["plugins-see-the-contract"]["forbidden_modules"]
    ),
    *(("plugins-see-the-contract", f"{plugin.name}/__init__.py", "import wgfo.engine") for plugin in PLUGINS),
    *(
        ("plugins-are-strangers", f"{one.name}/__init__.py", f"import {other.name}")
        for one, other in pairwise([*PLUGINS, PLUGINS[0]])
    ),
]


def lint(where: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the project's own configuration on the packages below ``where``."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache", *options],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(where)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and the configuration, to be spoiled."""
    where = tmp_path_factory.mktemp("rules")
    for package in PACKAGES:
        shutil.copytree(package, where / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", where)
    return where


@pytest.fixture
def spoiled(copy: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The copy with one forbidden statement added to one module, mended afterwards."""
    _, module, statement = request.param
    path = copy / module
    before = path.read_text()
    path.write_text(f"{before}\n{statement}\n")
    yield copy
    path.write_text(before)


def test_the_tree_keeps_the_import_rules(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("spoiled", "contract"),
    [(case, case[0]) for case in FORBIDDEN],
    indirect=["spoiled"],
    ids=[
        f"{contract}: {module}: {statement.split('import ')[-1]}" for contract, module, statement in FORBIDDEN
    ],
)
def test_a_forbidden_import_is_noticed(spoiled: Path, contract: str) -> None:
    done = lint(spoiled, "--contract", contract)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{CONTRACTS[contract]['name']} BROKEN" in done.stdout.replace("\n", " ")


def test_every_contract_has_a_negative_control() -> None:
    assert {contract for contract, _, _ in FORBIDDEN} == set(CONTRACTS)


def test_plugins_are_kept_from_every_part_of_the_core_but_the_contract() -> None:
    parts = {f"wgfo.{path.stem}" for path in PACKAGES[0].iterdir() if not path.name.startswith(("_", "py."))}
    forbidden = set(CONTRACTS["plugins-see-the-contract"]["forbidden_modules"])
    assert parts - forbidden == {"wgfo.plugin", "wgfo.model"}
