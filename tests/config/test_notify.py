"""``[[notify]]`` becomes what the daemon delivers by, and its secrets stay where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config import fakes
from wgfo.config.load import load, parse
from wgfo.config.problems import ConfigProblems
from wgfo.config.resolve import explain, resolve
from wgfo.config.setup import NotifySetup

ON = '[[notify]]\non = ["switch", "frozen"]\n'


def setups(text):
    return resolve(parse(text), fakes.registry(), hostname="core1", environ={}).notify


def problems(text):
    with pytest.raises(ConfigProblems) as caught:
        setups(text)
    return [str(problem) for problem in caught.value.problems]


def test_each_way_to_deliver_is_taken_over():
    text = ON + 'command = ["/bin/page", "--loud"]\ntimeout = "3s"\n' + ON + 'url = "https://x.example/y"\n'
    occasions = frozenset({"switch", "frozen"})
    assert setups(text) == (
        NotifySetup(occasions, command=("/bin/page", "--loud"), timeout_us=3_000_000),
        NotifySetup(occasions, url="https://x.example/y"),
    )


def test_files_are_relative_to_the_file_that_names_them(tmp_path):
    config = tmp_path / "wgfo.toml"
    config.write_text(ON + 'url_file = "chat.url"\ntoken_file = "/etc/wgfo/chat.token"\n')
    (found,) = resolve(load(config), fakes.registry(), hostname="core1", environ={}).notify
    assert (found.url_file, found.token_file) == (tmp_path / "chat.url", Path("/etc/wgfo/chat.token"))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("", "neither command nor url nor url_file; accepted: exactly one"),
        ('url = "http://x/"\ncommand = ["/bin/page"]', "command and url together; accepted: exactly one"),
        ('url = "http://x/"\nurl_file = "y"', "url and url_file together"),
        ('command = ["/bin/page"]\ntoken_file = "y"', "token_file: stands beside command"),
        ('url = "https://ann:secret@x.example/"', "url: a URL with a user or password"),
        ('url = "http://x/"\ntimeout = "0s"', "too short"),
    ],
)
def test_what_makes_no_sense_is_refused(keys, says):
    (found,) = problems(f"{ON}{keys}\n")
    assert says in found


def test_effective_values_hold_neither_the_path_of_a_url_nor_the_arguments_of_a_command():
    text = ON + 'url = "https://x.example/s3cr3t"\n' + ON + 'command = ["/bin/page", "s3cr3t"]\n'
    values = explain(parse(text), fakes.registry(), hostname="core1", environ={}).setup.effective
    assert values["notify.1.url"] == "https://x.example/…"
    assert values["notify.2.command"] == ["/bin/page", "…"]
    assert "s3cr3t" not in str(values)
