"""What ``wgfo plugins new`` writes is a plugin that works: built, installed, found, and held to the contract."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wgfo.cli.main import main


def new(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(["plugins", "new", *arguments])
    return ended.value.code


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=env, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("new")
    assert new("acme_net", "--directory", str(where)) == 0
    return where / "wgfo-acme-net"


@pytest.fixture(scope="module")
def site(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is installed, built without a network."""
    where = tmp_path_factory.mktemp("site")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
        "--target", where, package)  # fmt: skip
    return where


def with_site(site: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(site)}


def test_it_is_found_through_its_entry_point(site: Path) -> None:
    wgfo = Path(sys.executable).with_name("wgfo")
    found = json.loads(run(wgfo, "plugins", "--json", env=with_site(site)))
    (mine,) = [one for one in found["plugins"] if one["name"] == "acme_net"]
    assert (mine["distribution"], mine["routes"], found["broken"]) == ("wgfo-acme-net", ["acme_net"], [])
    assert (site / "wgfo_acme_net/py.typed").exists()


def test_it_passes_its_conformance_test(package: Path, site: Path) -> None:
    shown = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", package, env=with_site(site))
    assert re.search(r"\d{2,} passed", shown)
    assert "failed" not in shown


def test_the_conformance_test_is_under_20_lines(package: Path) -> None:
    assert (package / "tests/test_conformance.py").read_text().count("\n") < 20


def test_its_code_is_clean(package: Path) -> None:
    rules = ("--select", "E,F,W,I,UP,B,ANN0,ANN2", "--line-length", "116")
    run(
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--no-cache",
        *rules,
        "wgfo_acme_net",
        cwd=package,
    )


def test_of_wgfo_its_package_imports_the_contract_alone_and_the_platform_that_is_replaced(
    package: Path,
) -> None:
    imported = {
        (path.name, node.module)
        for path in package.glob("wgfo_acme_net/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wgfo.")
    }
    others = {(name, module) for name, module in imported if module not in {"wgfo.model", "wgfo.plugin"}}
    assert others == {("client.py", "wgfo.testing.memory.platform")}


def test_no_placeholder_is_left(package: Path) -> None:
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    texts = [path.read_text() for path in files]
    assert [text for text in texts if "{{" in text] == []


def test_nothing_is_overwritten(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert new("acme_net", "--directory", str(package.parent)) == 1
    assert "exists and is left as it is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "why"), [("Acme", "accepted: up to 31 lower-case letters"), ("linux", "offered by wgfo-linux")]
)
def test_a_name_that_cannot_be_used_is_refused(
    name: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new(name, "--directory", str(tmp_path)) == 2
    assert why in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
