"""Finding and reading the configuration: places, includes, syntax."""

from __future__ import annotations

from pathlib import Path

import pytest

from wgfo.config.load import Document, find, load, parse
from wgfo.config.problems import ConfigProblems
from wgfo.plugin import ConfigError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def said(document: Document) -> list[str]:
    return [str(problem) for problem in document.problems]


def test_the_option_is_stronger_than_the_environment() -> None:
    assert find(Path("a.toml"), {"WGFO_CONFIG": "b.toml"}) == Path("a.toml")
    assert find(None, {"WGFO_CONFIG": "b.toml"}) == Path("b.toml")


def test_the_working_directory_is_looked_at_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "wgfo.toml", "")
    assert find(None, {}) == Path("wgfo.toml")


def test_no_configuration_lists_the_places_and_names_config_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wgfo.config.load.PLACES", (Path("wgfo.toml"), tmp_path / "etc/wgfo.toml"))
    with pytest.raises(ConfigError) as caught:
        find(None, {})
    text = str(caught.value)
    for word in (
        "--config",
        "$WGFO_CONFIG",
        "./wgfo.toml",
        f"{tmp_path}/etc/wgfo.toml",
        "'wgfo config init'",
    ):
        assert word in text


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "none.toml")


def test_a_syntax_error_has_its_line() -> None:
    with pytest.raises(ConfigProblems, match=r"wgfo\.toml:2: no valid TOML: "):
        parse("a = 1\nb = = 2\n")


def test_a_text_that_ends_too_soon_has_its_last_line() -> None:
    with pytest.raises(ConfigProblems, match=r"wgfo\.toml:3: no valid TOML: "):
        parse('a = 1\n\nb = """x')


def test_included_files_are_merged_in_lexical_order(tmp_path: Path) -> None:
    main = write(tmp_path / "wgfo.toml", 'include = ["conf.d/*.toml"]\n[daemon]\nhttp = "127.0.0.1:1"\n')
    for name in ("b", "a"):
        write(
            tmp_path / f"conf.d/{name}.toml",
            f'[[group]]\nname = "{name}"\n[[group.path]]\nname = "p"\n[provider.{name}]\nkind = "linux"\n',
        )
    document = load(main)
    assert said(document) == []
    assert [group.name for group in document.config.group] == ["a", "b"]
    assert set(document.config.provider) == {"a", "b"}
    assert str(document.origin(("group", 1, "name"))) == f"{tmp_path}/conf.d/b.toml:2"


def test_a_value_set_in_two_files_names_both_places(tmp_path: Path) -> None:
    main = write(tmp_path / "wgfo.toml", 'include = ["x.toml"]\n[daemon]\nhttp = "127.0.0.1:1"\n')
    write(tmp_path / "x.toml", '\n[daemon]\nhttp = "127.0.0.1:2"\n')
    assert said(load(main)) == [
        f"{tmp_path}/x.toml:3: [daemon] → http: set here and at {main}:3; remove one of them; accepted: one place"
    ]


def test_a_file_of_include_that_does_not_exist_is_a_mistake_and_an_empty_pattern_is_none(
    tmp_path: Path,
) -> None:
    main = write(tmp_path / "wgfo.toml", 'include = [\n"none.toml", "conf.d/*.toml"]\n')
    assert said(load(main)) == [
        f'{main}:2: include → item 1: "none.toml" does not exist; accepted: a file or a pattern'
    ]


def test_an_included_file_includes_nothing(tmp_path: Path) -> None:
    main = write(tmp_path / "wgfo.toml", 'include = ["x.toml"]\n')
    write(tmp_path / "x.toml", 'include = ["y.toml"]\n')
    assert "stands in an included file" in said(load(main))[0]


def test_syntax_errors_of_all_included_files_are_shown_at_once(tmp_path: Path) -> None:
    main = write(tmp_path / "wgfo.toml", 'include = ["*.part"]\n')
    write(tmp_path / "a.part", "=\n")
    write(tmp_path / "b.part", "\n=\n")
    with pytest.raises(ConfigProblems) as caught:
        load(main)
    assert [str(problem.origin) for problem in caught.value.problems] == [
        f"{tmp_path}/a.part:1",
        f"{tmp_path}/b.part:2",
    ]


def test_a_mistake_is_cut_out_and_the_rest_stands() -> None:
    document = parse('[[group]]\nname = "g"\nrevertiv = true\nhold_off = "2s"\n[[group.path]]\nname = "p"\n')
    assert len(document.problems) == 1
    assert document.config.group[0].hold_off.us == 2_000_000


def test_a_table_without_its_key_goes_as_a_whole_and_is_remembered() -> None:
    document = parse('[[group]]\nname = "g"\n[[group.path]]\nname = "p"\n[[group.path]]\npeer = "10.0.0.1"\n')
    assert said(document) == ['wgfo.toml:5: [[group]] "g" → path 2 → name: missing; add it']
    assert [path.name for path in document.config.group[0].path] == ["p"]
    assert document.lost(("group", 0), "path")
