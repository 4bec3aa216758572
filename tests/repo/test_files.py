"""Rules about files as such."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.repo.tree import ROOT, files

# Written in pieces: this file is held to the rule too.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        *(("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com")),
        *(
            ("crates", "io"),
            ("proxy", "golang", "org"),
            ("rubygems", "org"),
            ("docker", "io"),
            ("quay", "io"),
        ),
        *(("deb", "debian", "org"), ("archive", "ubuntu", "com"), ("ghcr", "io")),
    )
]


def text_files() -> list[Path]:
    return [path for path in files() if b"\0" not in path.read_bytes()]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    pattern = re.compile("|".join(map(re.escape, REGISTRY_HOSTS)))
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in text_files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_every_file_ends_with_one_newline_and_has_no_trailing_blanks() -> None:
    bad = [
        str(path.relative_to(ROOT))
        for path in text_files()
        if (text := path.read_text())
        and (not text.endswith("\n") or text.endswith("\n\n") or re.search(r"[ \t]+$", text, re.MULTILINE))
    ]
    assert bad == []


@pytest.mark.parametrize(
    "script", [".ci/run", *(f"scripts/{path.name}" for path in (ROOT / "scripts").iterdir())]
)
def test_a_script_is_executable_and_parses(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", path], check=True, timeout=10)


def test_no_module_is_long_enough_to_have_two_subjects() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files()
        if path.suffix == ".py"
        and "tests" not in path.parts
        and (lines := path.read_text().count("\n")) > 500
    }
    assert long == {}


def test_no_test_of_this_project_skips() -> None:
    """A test that needs root or a tool fails without it: a skipped test guards nothing."""
    skips = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files()
        if path.suffix == ".py" and "tests" in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"skip", "skipif", "importorskip", "xfail"}
    ]
    assert skips == []
