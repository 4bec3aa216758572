"""Discovery with real distributions on a path of its own, made by each test."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from tests.config import fakes
from wgfo.plugin.manager import Registry, Sort, UnusableKind, discover, registry_of

OFFERS = """
    from tests.config import fakes
    from wgfo.plugin import hookimpl

    @hookimpl
    def wgfo_route_offers():
        return [fakes.{offer}]
"""


class Site:
    """A directory of distributions."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, name: str, body: str, version: str = "1.0") -> None:
        module = f"{name}_of_{self.root.name}"
        (self.root / f"{module}.py").write_text(textwrap.dedent(body))
        info = self.root / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[wgfo]\n{name} = {module}\n")

    def points(self) -> Iterator[EntryPoint]:
        for distribution in distributions(path=[str(self.root)]):
            yield from distribution.entry_points.select(group="wgfo")

    def discover(self) -> Registry:
        return discover(list(self.points()))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(tmp_path)
    return Site(tmp_path)


def test_a_plugin_is_named_with_its_distribution_and_kinds(site: Site) -> None:
    site.add("alpha", OFFERS.format(offer="LINUX"), version="2.5")
    (plugin,) = site.discover().plugins
    assert (plugin.name, plugin.distribution, plugin.version) == ("alpha", "alpha", "2.5")
    assert plugin.routes == ("linux",)


def test_a_plugin_that_cannot_be_imported_takes_nobody_down(site: Site) -> None:
    site.add("boom", "import no_such_sdk_anywhere")
    site.add("fine", OFFERS.format(offer="LINUX"))
    registry = site.discover()
    assert list(registry.routes) == ["linux"]
    (broken,) = registry.broken
    assert (broken.name, broken.distribution) == ("boom", "boom")
    assert "no_such_sdk_anywhere" in broken.error


def test_a_plugin_that_exits_while_it_is_imported_is_broken(site: Site) -> None:
    site.add("quits", "raise SystemExit(3)")
    assert [broken.name for broken in site.discover().broken] == ["quits"]


def test_a_hook_that_raises_makes_the_plugin_broken_and_its_other_offers_unusable(site: Site) -> None:
    site.add(
        "half",
        OFFERS.format(offer="LINUX")
        + """
    @hookimpl
    def wgfo_probe_offers():
        raise RuntimeError("no socket today")
""",
    )
    registry = site.discover()
    assert not registry.routes
    assert not registry.plugins
    assert "no socket today" in registry.broken[0].error


def test_a_hook_that_nobody_knows_is_a_mistake_of_the_plugin(site: Site) -> None:
    site.add(
        "typo",
        """
    from wgfo.plugin import hookimpl

    @hookimpl
    def wgfo_rout_offers():
        return []
""",
    )
    site.add("fine", OFFERS.format(offer="AWS"))
    registry = site.discover()
    assert [broken.name for broken in registry.broken] == ["typo"]
    assert "wgfo_rout_offers" in registry.broken[0].error
    assert list(registry.routes) == ["aws"]


def test_an_offer_of_the_wrong_type_is_refused() -> None:
    registry = registry_of(fakes.plugin("odd", routes=("linux",)))  # type: ignore[arg-type]
    assert "RouteOffer" in registry.broken[0].error


def test_a_hook_that_returns_nothing_is_refused() -> None:
    registry = registry_of(fakes.plugin("odd", routes=None))  # type: ignore[arg-type]
    assert [broken.name for broken in registry.broken] == ["odd"]


def test_a_kind_of_two_plugins_belongs_to_neither_and_both_are_named(site: Site) -> None:
    site.add("alpha", OFFERS.format(offer="LINUX"))
    site.add("beta", OFFERS.format(offer="LINUX"))
    registry = site.discover()
    assert not registry.routes
    (duplicate,) = registry.duplicates
    assert (duplicate.sort, duplicate.kind) == (Sort.ROUTE, "linux")
    assert duplicate.plugins == ("alpha of alpha", "beta of beta")


def test_selecting_a_duplicate_kind_names_both_plugins() -> None:
    registry = registry_of(fakes.plugin("one", routes=(fakes.AWS,)), fakes.plugin("two", routes=(fakes.AWS,)))
    with pytest.raises(UnusableKind, match="one, two"):
        registry.route("aws")


def test_a_missing_kind_lists_what_is_offered_and_who_is_broken() -> None:
    registry = registry_of(fakes.linux(), fakes.plugin("odd", routes=None))  # type: ignore[arg-type]
    with pytest.raises(UnusableKind, match=r"offered: linux \(broken: odd; see 'wgfo plugins'\)"):
        registry.route("aws")


def test_two_distributions_may_name_their_entry_points_alike() -> None:
    points = [EntryPoint("same", f"tests.plugin.twins:{twin}", "wgfo") for twin in ("first", "second")]
    assert sorted(discover(points).routes) == ["aws", "linux"]


def test_the_plugins_of_this_environment_are_found() -> None:
    registry = discover()
    assert "icmp" in registry.probes
    assert not registry.broken
