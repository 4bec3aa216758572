"""``wgfo emit``: what it prints, and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wgfo.cli.main import main

TWO = """
[provider.aws]
region = "eu-central-1"
[provider.azure]
subscription_id = "11111111-2222-3333-4444-555555555555"
[[group]]
name = "cloud"
[[group.path]]
name = "primary"
peer = "10.100.0.2"
[[group.path]]
name = "secondary"
peer = "10.200.0.2"
[[group.probe]]
kind = "icmp"
targets = ["10.99.0.1"]
[[group.route]]
provider = "aws"
tables = ["rtb-0aaa1", "rtb-0bbb2"]
prefixes = ["192.168.0.0/16"]
next_hop = { primary = "eni-0aaa1", secondary = "eni-0bbb2" }
[[group.route]]
provider = "azure"
tables = ["network/private"]
prefixes = ["192.168.0.0/16"]
next_hop = { primary = "10.1.0.4", secondary = "10.1.0.5" }
"""


class Emit:
    """Runs ``wgfo emit`` on a configuration."""

    def __init__(self, directory: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.config = directory / "wgfo.toml"
        self.capture = capture
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> object:
        with pytest.raises(SystemExit) as ended:
            main(["emit", *arguments, "--config", str(self.config)])
        self.out, self.err = self.capture.readouterr()
        return ended.value.code


@pytest.fixture
def emit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Emit:
    (tmp_path / "wgfo.toml").write_text(TWO)
    return Emit(tmp_path, capsys)


def test_permissions_of_one_instance_are_its_policy_and_nothing_else(emit: Emit) -> None:
    assert emit("permissions", "--provider", "aws") == 0, emit.err
    (writes, *_) = json.loads(emit.out)["Statement"]
    assert [arn.rpartition("/")[2] for arn in writes["Resource"]] == ["rtb-0aaa1", "rtb-0bbb2"]


def test_permissions_of_several_instances_must_be_told_apart(emit: Emit) -> None:
    assert (emit("permissions"), emit.out) == (1, "")
    assert "aws.json, azure.json" in emit.err
    assert "--provider NAME" in emit.err


def test_permissions_of_several_instances_go_into_a_directory(emit: Emit, tmp_path: Path) -> None:
    assert (emit("permissions", "--directory", str(tmp_path)), emit.out) == (0, "")
    assert "Statement" in json.loads((tmp_path / "aws.json").read_text())
    assert json.loads((tmp_path / "azure.json").read_text())["AssignableScopes"][0].endswith("/network")


def test_a_directory_that_is_not_there_is_named_with_what_is_accepted(emit: Emit, tmp_path: Path) -> None:
    assert emit("permissions", "--directory", str(tmp_path / "none")) == 1
    assert "aws.json cannot be written: No such file or directory; accepted is a directory" in emit.err


def test_a_configuration_without_routes_has_no_permissions_to_print(emit: Emit) -> None:
    emit.config.write_text(TWO.partition("[[group.route]]")[0])
    assert emit("permissions") == 1
    assert "no provider of this configuration names rights" in emit.err
