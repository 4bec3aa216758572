"""A file is replaced whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from wgfo.telemetry.atomic import replace_file


def names(directory):
    return [path.name for path in directory.iterdir()]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_mode_does_not_depend_on_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        replace_file(tmp_path / "f.prom", b"x", 0o644)
    finally:
        os.umask(before)
    assert (tmp_path / "f.prom").stat().st_mode & 0o777 == 0o644


def test_the_temporary_file_is_in_the_same_directory_and_no_collector_takes_it(tmp_path, monkeypatch):
    seen = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (seen.append(names(tmp_path)), fsync(fd)))
    replace_file(tmp_path / "f.prom", b"x", 0o644)
    (temporary,) = seen[0]
    assert not temporary.endswith(".prom")
    assert temporary.startswith(".")
    assert names(tmp_path) == ["f.prom"]


def test_a_missing_directory_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none" / "f", b"x", 0o600)


def test_a_leftover_of_a_killed_process_is_overwritten_and_a_link_is_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"keep")
    (tmp_path / f".f.{os.getpid()}.tmp").symlink_to(precious)
    replace_file(tmp_path / "f", b"new", 0o600)
    assert precious.read_bytes() == b"keep"
    assert (tmp_path / "f").read_bytes() == b"new"


def test_a_disk_that_takes_only_a_part_leaves_the_old_file_and_no_residue(tmp_path):
    script = (
        "import resource, signal, sys, pathlib; from wgfo.telemetry.atomic import replace_file;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "replace_file(pathlib.Path(sys.argv[1]), b'x' * 5000, 0o600)"
    )
    path = tmp_path / "f"
    path.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=20, check=False
    )
    assert "File too large" in done.stderr
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["f"]
