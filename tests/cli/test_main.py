"""How the command line ends, and what it prints where."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wgfo import __version__
from wgfo.cli.errors import Refused, Unreachable
from wgfo.cli.lazy import Command
from wgfo.cli.main import COMMANDS, main

EXAMPLES = Path(__file__).parents[1] / "config/examples"
GOOD = EXAMPLES / "onprem.toml"


class Cli:
    """Runs the command line in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        self.out, self.err = self.capture.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return code


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    monkeypatch.chdir(tmp_path)
    for name in ("WGFO_CONFIG", "WGFO_SITE"):
        monkeypatch.delenv(name, raising=False)
    return Cli(capsys)


def test_help_lists_every_command_and_imports_none() -> None:
    probe = "import sys; from wgfo.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    heavy = "print([name for name in ('pydantic', 'rich', 'aiohttp', 'wgfo.plugin') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe + heavy], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there_and_has_help(cli: Cli, name: str) -> None:
    assert cli(name, "--help") == 0
    assert f"wgfo {name}" in cli.out


def test_version_is_data(cli: Cli) -> None:
    assert cli("--version") == 0
    assert cli.out == f"wgfo {__version__}\n"


@pytest.mark.parametrize("arguments", [("plugin",), ("plugins", "--jsn"), ("config", "check", "extra")])
def test_a_usage_error_ends_with_2(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli(*arguments) == 2
    assert cli.out == ""


def test_a_mistyped_command_gets_a_suggestion(cli: Cli) -> None:
    cli("plugin")
    assert "Did you mean 'plugins'" in cli.err


def test_no_configuration_is_one_sentence_and_ends_with_1(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wgfo.config.load.PLACES", (Path("wgfo.toml"),))
    assert cli("config", "show") == 1
    assert cli.err.startswith("wgfo: no configuration found; looked at: ")
    assert cli.out == ""


def unreachable() -> None:
    raise Unreachable("no daemon answers")


def refused() -> None:
    raise Refused("locked out")


def fails() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(("name", "code"), [("unreachable", 5), ("refused", 6)])
def test_an_error_with_a_code_of_its_own_ends_with_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    table = {name: Command(f"{__name__}:{name}", "")}
    monkeypatch.setattr("wgfo.cli.main._Root.table", table)
    assert cli(name) == code
    assert cli.err.startswith("wgfo: ")


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wgfo.cli.main._Root.table", {"fails": Command(f"{__name__}:fails", "")})
    with pytest.raises(ZeroDivisionError):
        main(["fails"])


# --- config -----------------------------------------------------------------------------------------------


def test_check_says_what_is_valid(cli: Cli) -> None:
    assert cli("config", "check", "--config", str(GOOD)) == 0
    assert cli.out == f"{GOOD}: valid: 1 group\n"


def test_check_reads_the_environment(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WGFO_CONFIG", str(GOOD))
    assert cli("config", "check", "--json") == 0
    assert json.loads(cli.out) == {"api_version": 1, "ok": True, "problems": [], "notices": []}


def test_check_shows_every_mistake_on_standard_error_and_ends_with_1(cli: Cli, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(GOOD.read_text().replace("http ", "htp ").replace('"dev wg0"', '"wg0"'))
    assert cli("config", "check", "-c", str(bad)) == 1
    assert cli.out == ""
    lines = cli.err.splitlines()
    assert [line.partition(": ")[0] for line in lines[:2]] == [f"{bad}:4", f"{bad}:31"]
    assert lines[2] == "2 problems in the configuration"


def test_check_as_json_has_the_parts_of_each_problem(cli: Cli, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(GOOD.read_text().replace("http ", "htp "))
    assert cli("config", "check", "-c", str(bad), "--json") == 1
    (problem,) = json.loads(cli.out)["problems"]
    assert (problem["line"], problem["where"], problem["hint"]) == (
        4,
        "[daemon] → htp",
        'did you mean "http"?',
    )


def test_show_prints_values_with_their_origin(cli: Cli) -> None:
    assert cli("config", "show", "-c", str(GOOD)) == 0
    line = next(line for line in cli.out.splitlines() if line.startswith("group.cloud.wait_to_restore"))
    assert line.split() == ["group.cloud.wait_to_restore", '"5m"', f"{GOOD}:10"]


def test_show_as_json_is_one_object(cli: Cli) -> None:
    assert cli("config", "show", "-c", str(GOOD), "--json") == 0
    found = json.loads(cli.out)
    assert found["api_version"] == 1
    assert {"key": "group.cloud.drift", "value": "repair", "origin": "default"} in found["settings"]


def test_schema_is_json(cli: Cli) -> None:
    assert cli("config", "schema") == 0
    assert json.loads(cli.out)["additionalProperties"] is False


def test_init_writes_a_file_once(cli: Cli, tmp_path: Path) -> None:
    assert cli("config", "init") == 0
    text = (tmp_path / "wgfo.toml").read_text()
    assert "[daemon]" in text
    assert cli("config", "init") == 1
    assert "exists and is left as it is" in cli.err
    assert (tmp_path / "wgfo.toml").read_text() == text


def test_init_may_print_instead(cli: Cli, tmp_path: Path) -> None:
    assert cli("config", "init", "-") == 0
    assert cli.out.startswith("# wgfo.toml")
    assert not list(tmp_path.iterdir())


# --- plugins ----------------------------------------------------------------------------------------------


def test_plugins_lists_what_is_installed_and_offered(cli: Cli) -> None:
    assert cli("plugins") == 0
    row = next(line for line in cli.out.splitlines() if line.startswith("probes"))
    assert "icmp" in row


def test_plugins_as_json_has_broken_ones_and_duplicates(cli: Cli) -> None:
    assert cli("plugins", "--json") == 0
    found = json.loads(cli.out)
    assert set(found) == {"api_version", "plugins", "broken", "duplicates"}
    assert {plugin["distribution"] for plugin in found["plugins"]} >= {"wgfo"}
