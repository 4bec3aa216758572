"""A bug report has what is needed to find a bug, and none of the secrets that were in reach."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace

import pytest

from tests.support.example import FakeSource, example_report
from tests.support.served import served
from wgfo.cli.bugreport_secrets import REDACTED, named_like_a_secret, scrubber
from wgfo.cli.main import main
from wgfo.daemon.records import Opened, SessionHeader, Stepped, pack
from wgfo.daemon.segments import MAGIC
from wgfo.engine.events import Tick
from wgfo.engine.policy import GroupPolicy, PathPolicy

SECRETS = {
    "webhook": 'wh-0aaa "quoted" \\ token',
    "tls": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDwgfo",
    "notify": "T0AAA/B0BBB/xXxXxXxXxXxX",
    "command": "page-key-4711",
    "environment": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "environment_file": "ya29-of-a-service-account",
    "url": "hunter2-in-a-url",
    "comment": "what-a-comment-says",
    "unknown": "value-of-an-unknown-password",
}
CONFIG = """
# {comment}
include = ["more/*.toml"]
[daemon]
state_dir = "state"
control = "control.sock"
webhook_token_file = "webhook.token"
[[group]]
name = "cloud"
[[group.path]]
name = "primary"
peer = "10.100.0.1"
[[group.path]]
name = "secondary"
peer = "10.200.0.1"
[[group.service]]
kind = "http"
targets = ["http://10.20.0.9/health"]
"""
MORE = """
[[notify]]
on = ["switch"]
url = "https://hooks.example.com/services/{notify}"
[[notify]]
on = ["switch"]
command = ["/usr/local/bin/page", "{command}"]
[daemon.tls]
cert = "cert.pem"
key = "key.pem"
"""


class Bench:
    """A directory full of secrets, and the report that is made there."""

    def __init__(self, directory, run):
        self.directory, self._run = directory, run
        self.write("wgfo.toml", CONFIG.format(**SECRETS))
        self.write("more/b.toml", MORE.format(**SECRETS))
        self.write("webhook.token", SECRETS["webhook"] + "\n")
        self.write(
            "more/key.pem", f"-----BEGIN PRIVATE KEY-----\n{SECRETS['tls']}\n-----END PRIVATE KEY-----\n"
        )
        self.write("account.json", json.dumps({"private_key": SECRETS["environment_file"]}, indent=1))
        self.journal()

    def write(self, name, text):
        (self.directory / name).parent.mkdir(exist_ok=True)
        (self.directory / name).write_text(text)

    def journal(self):
        policy = GroupPolicy("cloud", (PathPolicy("primary"), PathPolicy("secondary")))
        header = SessionHeader(
            "s", 1, "wall", "boot", {"wgfo": "0.1.0"}, "d", json.dumps(SECRETS), {"cloud": policy}
        )
        records = [
            Opened(header, {"cloud": {"reason": SECRETS["webhook"]}}),
            Stepped("cloud", Tick(4711), ()),
        ]
        place = self.directory / "state/journal"
        place.mkdir(parents=True)
        (place / "journal-0000000000.wgfo").write_bytes(MAGIC + pack("s", 0, records))

    def report(self, *arguments):
        """The archive's texts by name."""
        code, out, err = self._run("bugreport", "--config", str(self.directory / "wgfo.toml"), *arguments)
        assert code == 0, err
        with tarfile.open(out.strip()) as archive:
            read = {one.name.partition("/")[2]: archive.extractfile(one).read() for one in archive}
        return {name: data.decode() for name, data in read.items()}


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    def command(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        return (ended.value.code, *capsys.readouterr())

    monkeypatch.chdir(tmp_path)
    return command


@pytest.fixture
def bench(tmp_path, run, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS["environment"])
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    return Bench(tmp_path, run)


def leaked(texts):
    """Which secrets are in which file, as they are or as JSON writes them."""
    return {
        (name, what)
        for name, text in texts.items()
        for what, secret in SECRETS.items()
        if secret in text or json.dumps(secret)[1:-1] in text
    }


def a_daemon_that_says_everything():
    said = " ".join(secret for what, secret in SECRETS.items() if what != "comment")
    return FakeSource(report=replace(example_report(), reason=said))


def test_no_secret_of_the_configuration_its_files_or_the_environment_gets_in(bench):
    """The configuration is wrong as well: its mistakes are told, and what stands there is not."""
    text = CONFIG.format(**SECRETS).replace("http://10", f"http://user:{SECRETS['url']}@10")
    bench.write("wgfo.toml", f'password = "{SECRETS["unknown"]}"\n{text}')
    with served(bench.directory / "control.sock", a_daemon_that_says_everything()):
        texts = bench.report()
    assert REDACTED in texts["status.json"]
    assert "user or password" in texts["problems.txt"]
    assert leaked(texts) == set()


def test_what_a_running_daemon_says_is_in_it_without_secrets(bench):
    bench.write("more/b.toml", "")
    shown = replace(
        example_report(), reason=f"see {SECRETS['environment']} and {SECRETS['environment_file']}"
    )
    with served(bench.directory / "control.sock", FakeSource(report=shown)):
        texts = bench.report()
    assert json.loads(texts["status.json"])["groups"][0]["reason"] == f"see {REDACTED} and {REDACTED}"
    assert json.loads(texts["history.json"])["switches"]
    assert json.loads(texts["explain.json"])["groups"]
    assert leaked(texts) == set()


def test_it_has_configuration_journal_plugins_versions_and_the_host(bench):
    bench.write("more/b.toml", "")
    texts = bench.report()
    assert json.loads(texts["config.json"])["daemon"]["webhook_token_file"] == "webhook.token"
    assert json.loads(texts["effective.json"])["group.cloud.detect.fall"] == 3
    assert json.loads(texts["origins.json"])["daemon.state_dir"].endswith("wgfo.toml:5")
    assert json.loads(texts["plugins.json"])["plugins"]
    assert "wgfo" in json.loads(texts["versions.json"])["distributions"]
    assert json.loads(texts["journal.jsonl"].splitlines()[1])["event"]["at_us"] == 4711
    assert "$ ip -4 rule\n" in texts["host.txt"]
    assert texts["status.json"].startswith("cannot be had: Unreachable")
    assert leaked(texts) == set()


def test_a_configuration_that_is_wrong_is_no_obstacle(bench):
    bench.write("wgfo.toml", "[daemon]\nstate_dri = 1\n")
    texts = bench.report()
    assert "state_dri" in texts["problems.txt"]
    assert "effective.json" not in texts
    assert texts["status.json"].startswith("cannot be had: Unreachable")


def test_the_archive_is_for_its_owner_alone_and_overwrites_nothing(bench, run):
    place = bench.directory / "mine.tar.gz"
    bench.report("--output", str(place))
    assert place.stat().st_mode & 0o777 == 0o600
    before = place.read_bytes()
    code, out, err = run("bugreport", "--config", str(bench.directory / "wgfo.toml"), "--output", str(place))
    assert (code, out) == (1, "")
    assert "exists and is left as it is" in err
    assert place.read_bytes() == before


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("token", True),
        ("api_key", True),
        ("client-secret", True),
        ("provider.acme.key", True),
        ("Authorization", True),
        ("group.cloud.path.primary.public_key", False),
        ("token_file", False),
        ("monkey", False),
        ("targets", False),
    ],
)
def test_values_are_hidden_by_the_names_of_their_keys(key, secret):
    assert named_like_a_secret(key) is secret


def test_a_webhook_keeps_its_host_and_a_command_its_program():
    scrub = scrubber({}, [], {})
    assert scrub.value({"url": "https://hooks.example.com:8443/a/b?c=d"}) == {
        "url": f"https://hooks.example.com:8443/{REDACTED}"
    }
    assert scrub.value({"command": ["/bin/page", "-k", "abc"]}) == {"command": ["/bin/page", REDACTED]}


def test_plain_words_of_the_environment_are_no_secrets():
    scrub = scrubber({}, [], {"USE_AUTH": "true", "HOME_KEYMAP": "de"})
    assert scrub.text("true, de") == "true, de"
