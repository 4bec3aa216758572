"""Keys from files."""

from __future__ import annotations

import pytest

from wgfo.plugin import ProbeError
from wgfo.probes.stamp_key import Key, read_key

SECRET = "a secret of 23 octets.."


def written(tmp_path, text, mode=0o600):
    path = tmp_path / "stamp.key"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "text", [SECRET, SECRET + "\n", SECRET + "\r\n", "hex:" + SECRET.encode().hex() + "\n"]
)
def test_a_key_is_the_line_or_the_octets_that_it_names(tmp_path, text):
    assert read_key(written(tmp_path, text)).digest(b"x") == Key(SECRET.encode()).digest(b"x")


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (SECRET, 0o644, "can be read by everyone; run: chmod o-r"),
        ("short", 0o600, "holds 5 octets; accepted: at least 16"),
        ("", 0o600, "holds 0 octets"),
        (f"{SECRET}\n{SECRET}\n", 0o600, "more than one line"),
        ("hex:zz" + "00" * 16, 0o600, "no hexadecimal octets"),
        (b"hex:\xff\xfe", 0o600, "no hexadecimal octets"),
        ("x" * 5000, 0o600, "more than one line"),
    ],
)
def test_what_is_no_key_is_refused_without_a_word_of_it(tmp_path, text, mode, said):
    path = written(tmp_path, text, mode)
    with pytest.raises(ProbeError) as error:
        read_key(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert SECRET not in str(error.value)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(ProbeError, match="No such file or directory; write the same secret at both ends"):
        read_key(tmp_path / "none")


def test_a_key_does_not_show_itself():
    assert SECRET not in repr(Key(SECRET.encode()))
