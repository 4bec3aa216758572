"""Discovery: which plugins are installed, what they offer, and which of them are broken and why.

Every entry point of the group ``wgfo`` is loaded on its own, the core's own probes included: one that cannot
be imported, or whose hook raises, is kept as :class:`Broken` and takes nobody else down. A kind that two
plugins offer belongs to neither: it is a :class:`Duplicate`, and an error only for whoever selects it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Final, Generic, TypeVar

import pluggy

from wgfo.plugin.errors import ConfigError
from wgfo.plugin.hookspecs import PROJECT, Hooks
from wgfo.plugin.lease import LeaseOffer
from wgfo.plugin.probe import ProbeOffer
from wgfo.plugin.route import RouteOffer

Offer = RouteOffer | ProbeOffer | LeaseOffer
OfferT = TypeVar("OfferT", RouteOffer, ProbeOffer, LeaseOffer)


class Sort(StrEnum):
    """What is offered; the value is the word for it in messages."""

    ROUTE = "route provider"
    PROBE = "probe"
    LEASE = "lease"


_HOOKS: Final[Mapping[Sort, tuple[str, type[Offer]]]] = MappingProxyType(
    {
        Sort.ROUTE: ("wgfo_route_offers", RouteOffer),
        Sort.PROBE: ("wgfo_probe_offers", ProbeOffer),
        Sort.LEASE: ("wgfo_lease_offers", LeaseOffer),
    }
)


@dataclass(frozen=True, slots=True)
class Plugin:
    """An installed plugin that works, and the kinds that it offers."""

    name: str
    distribution: str
    version: str
    routes: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    leases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """A plugin that could not be imported, or whose hooks cannot be used."""

    name: str
    distribution: str
    error: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A kind that several plugins offer; nobody can select it until all but one are uninstalled."""

    sort: Sort
    kind: str
    plugins: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.sort} kind {self.kind!r} is offered by {len(self.plugins)} plugins "
            f"({', '.join(self.plugins)}): uninstall all but one"
        )


class UnusableKind(ConfigError):
    """No plugin, or more than one, offers the kind."""


@dataclass(frozen=True, slots=True)
class Registry:
    """What the installed plugins offer. Kinds that are duplicates stand in ``duplicates`` alone."""

    routes: Mapping[str, RouteOffer] = field(default_factory=dict, hash=False)
    probes: Mapping[str, ProbeOffer] = field(default_factory=dict, hash=False)
    leases: Mapping[str, LeaseOffer] = field(default_factory=dict, hash=False)
    plugins: tuple[Plugin, ...] = ()
    broken: tuple[Broken, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()

    def route(self, kind: str) -> RouteOffer:
        """Return the route provider of that kind, or raise :class:`UnusableKind`."""
        return self._pick(Sort.ROUTE, kind, self.routes)

    def probe(self, kind: str) -> ProbeOffer:
        """Return the probe of that kind, or raise :class:`UnusableKind`."""
        return self._pick(Sort.PROBE, kind, self.probes)

    def lease(self, kind: str) -> LeaseOffer:
        """Return the lease store of that kind, or raise :class:`UnusableKind`."""
        return self._pick(Sort.LEASE, kind, self.leases)

    def duplicate(self, sort: Sort, kind: str) -> Duplicate | None:
        """Return who quarrels about the kind, if anyone does."""
        return next((it for it in self.duplicates if it.sort is sort and it.kind == kind), None)

    def _pick(self, sort: Sort, kind: str, offers: Mapping[str, OfferT]) -> OfferT:
        duplicate = self.duplicate(sort, kind)
        if duplicate is not None:
            raise UnusableKind(str(duplicate))
        if kind not in offers:
            offered = ", ".join(sorted(offers)) or "none"
            raise UnusableKind(
                f"no installed plugin offers {sort} kind {kind!r}; offered: {offered}{self._suspects()}"
            )
        return offers[kind]

    def _suspects(self) -> str:
        """A missing kind may well be one that a broken plugin would have offered."""
        if not self.broken:
            return ""
        return f" (broken: {', '.join(it.name for it in self.broken)}; see 'wgfo plugins')"


def discover(found: Iterable[EntryPoint] | None = None) -> Registry:
    """Load every installed plugin (or those of ``found``) and collect their offers; never raises for one."""
    collector = _Collector()
    points = entry_points(group=PROJECT) if found is None else found
    for point in sorted(points, key=lambda point: (point.name, _distribution(point)[0])):
        collector.load(point)
    return collector.registry()


def registry_of(*plugins: object) -> Registry:
    """Collect the offers of plugin objects or modules at hand: for tests and simulations."""
    collector = _Collector()
    for number, plugin in enumerate(plugins):
        name = getattr(plugin, "__name__", None) or f"{type(plugin).__name__}-{number}"
        collector.add(_Source(str(name), "", ""), plugin)
    return collector.registry()


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class _Offered(Generic[OfferT]):
    source: _Source
    offer: OfferT


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    return manager


@dataclass(slots=True)
class _Collector:
    """Registers plugins one by one; a plugin that fails anywhere contributes nothing."""

    manager: pluggy.PluginManager = field(default_factory=_manager)
    routes: list[_Offered[RouteOffer]] = field(default_factory=list)
    probes: list[_Offered[ProbeOffer]] = field(default_factory=list)
    leases: list[_Offered[LeaseOffer]] = field(default_factory=list)
    plugins: list[Plugin] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)

    def load(self, point: EntryPoint) -> None:
        source = _Source(self._unused_name(point), *_distribution(point))
        try:
            plugin = point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's import may raise anything
            self.broken.append(Broken(source.name, source.distribution, f"import failed: {_say(error)}"))
            return
        self.add(source, plugin)

    def add(self, source: _Source, plugin: object) -> None:
        try:
            self.manager.register(plugin, source.name)
            self.manager.check_pending()
            offers = {sort: self._ask(sort, source) for sort in Sort}
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's hook may raise anything
            self._drop(source)
            self.broken.append(Broken(source.name, source.distribution, _say(error)))
            return
        self._keep(source, offers)

    def registry(self) -> Registry:
        routes, twice_routes = _by_kind(Sort.ROUTE, self.routes)
        probes, twice_probes = _by_kind(Sort.PROBE, self.probes)
        leases, twice_leases = _by_kind(Sort.LEASE, self.leases)
        return Registry(
            MappingProxyType(routes),
            MappingProxyType(probes),
            MappingProxyType(leases),
            tuple(self.plugins),
            tuple(self.broken),
            (*twice_routes, *twice_probes, *twice_leases),
        )

    def _unused_name(self, point: EntryPoint) -> str:
        """Two distributions may name their entry points alike."""
        if not self.manager.has_plugin(point.name):
            return point.name
        return f"{_distribution(point)[0]}:{point.name}"

    def _ask(self, sort: Sort, source: _Source) -> Sequence[Offer]:
        hook, wanted = _HOOKS[sort]
        callers = self.manager.get_hookcallers(self.manager.get_plugin(source.name)) or []
        if not any(caller.name == hook for caller in callers):
            return ()
        impls = getattr(self.manager.hook, hook).get_hookimpls()
        offers = [offer for impl in impls if impl.plugin_name == source.name for offer in impl.function()]
        for offer in offers:
            if not isinstance(offer, wanted):
                raise TypeError(f"{hook} returned {type(offer).__name__}; it must return {wanted.__name__}s")
        return offers

    def _drop(self, source: _Source) -> None:
        if self.manager.has_plugin(source.name):
            self.manager.unregister(name=source.name)

    def _keep(self, source: _Source, offers: Mapping[Sort, Sequence[Offer]]) -> None:
        kinds = {sort: tuple(offer.kind for offer in offers[sort]) for sort in Sort}
        self.plugins.append(
            Plugin(
                source.name,
                source.distribution,
                source.version,
                kinds[Sort.ROUTE],
                kinds[Sort.PROBE],
                kinds[Sort.LEASE],
            )
        )
        for offer in (offer for some in offers.values() for offer in some):
            match offer:
                case RouteOffer():
                    self.routes.append(_Offered(source, offer))
                case ProbeOffer():
                    self.probes.append(_Offered(source, offer))
                case LeaseOffer():
                    self.leases.append(_Offered(source, offer))


def _distribution(point: EntryPoint) -> tuple[str, str]:
    """Name and version of the distribution that declares the entry point; empty where none does."""
    if point.dist is None:
        return "", ""
    return point.dist.name, point.dist.version


def _say(error: BaseException) -> str:
    """One line: the kind of error and the first line of its text."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _by_kind(sort: Sort, offered: Sequence[_Offered[OfferT]]) -> tuple[dict[str, OfferT], list[Duplicate]]:
    """Split into the kinds that one plugin offers and those that several do."""
    by_kind: dict[str, list[_Offered[OfferT]]] = {}
    for item in offered:
        by_kind.setdefault(item.offer.kind, []).append(item)
    single = {kind: items[0].offer for kind, items in by_kind.items() if len(items) == 1}
    twice = [
        Duplicate(sort, kind, tuple(_title(item.source) for item in items))
        for kind, items in by_kind.items()
        if len(items) > 1
    ]
    return single, twice


def _title(source: _Source) -> str:
    return f"{source.name} of {source.distribution}" if source.distribution else source.name
