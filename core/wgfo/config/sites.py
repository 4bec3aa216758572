"""Which site this process stands at, and which provider instances it moves routes of."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.config.load import Document
from wgfo.config.models import Config, Provider, Site
from wgfo.config.problems import did_you_mean, listed
from wgfo.config.scan import KeyPath
from wgfo.plugin import ConfigError

ENVIRONMENT: Final = "WGFO_SITE"


@dataclass(frozen=True, slots=True)
class Instance:
    """A provider instance as configured; an undeclared one that a route names has its name for its kind."""

    name: str
    kind: str
    section: Provider
    path: KeyPath


def instances(document: Document) -> Mapping[str, Instance]:
    """Return every instance, declared ones first."""
    config = document.config
    used = (route.provider for group in config.group for route in group.route)
    names = dict.fromkeys([*config.provider, *used])
    sections = {name: config.provider.get(name, Provider()) for name in names}
    return {
        name: Instance(name, section.kind or name, section, ("provider", name))
        for name, section in sections.items()
    }


def choose_site(
    document: Document,
    site: str | None,
    providers: Sequence[str],
    hostname: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> str | None:
    """Return the site by ``--site``, else ``$WGFO_SITE``, else the host's name, else by ``--provider``.

    None where the configuration has no sites. Raises :class:`ConfigError` that lists the sites.
    """
    sites = document.config.site
    if site is not None:
        return _known(site, "--site", sites)
    if not sites:
        return None
    named = (os.environ if environ is None else environ).get(ENVIRONMENT)
    if named:
        return _known(named, f"${ENVIRONMENT}", sites)
    host = socket.gethostname() if hostname is None else hostname
    return _by_host(host, sites) or _by_provider(document, host, providers)


def _known(site: str, said_by: str, sites: Iterable[str]) -> str:
    names = list(sites)
    if site in names:
        return site
    hint = did_you_mean(site, names)
    also = f"; {hint}" if hint else ""
    have = f"the configuration's sites: {listed(names)}" if names else "the configuration has no [site.NAME]"
    raise ConfigError(f'{said_by}: no site is named "{site}"{also} ({have})')


def _by_host(host: str, sites: Mapping[str, Site]) -> str | None:
    """Match the full name first, then its first label."""
    for name in (host, host.partition(".")[0]):
        found = [site for site, section in sites.items() if name in section.hosts]
        if found:
            return found[0]
    return None


def _by_provider(document: Document, host: str, providers: Sequence[str]) -> str:
    sites = document.config.site
    kinds = {name: instance.kind for name, instance in instances(document).items()}
    fitting = [name for name, site in sites.items() if all(_has(site, it, kinds) for it in providers)]
    if len(fitting) == 1:
        return fitting[0]
    raise ConfigError(
        f'cannot tell which site this is: host "{host}" is in no site\'s hosts, and '
        f"{_fits(fitting, providers)}; give --site or ${ENVIRONMENT}: {listed(sites)}"
    )


def _fits(fitting: Sequence[str], providers: Sequence[str]) -> str:
    asked = " ".join(f"--provider {name}" for name in providers)
    if not providers:
        return "no --provider narrows it down"
    return f"{asked} fits {'several' if fitting else 'none'} of them"


def _has(site: Site, wanted: str, kinds: Mapping[str, str]) -> bool:
    """Whether the site moves routes of the wanted instance or kind."""
    if site.providers is None:
        return True
    return any(matches(own, wanted, kinds) or matches(wanted, own, kinds) for own in site.providers)


def matches(word: str, instance: str, kinds: Mapping[str, str]) -> bool:
    """Whether a word of ``--provider`` or of a site's ``providers`` names the instance, or its kind."""
    return word == instance or (instance in kinds and word == kinds[instance])


def choose_providers(
    config: Config, site: str | None, providers: Sequence[str], known: Iterable[Instance]
) -> set[str]:
    """Return the names of the selected instances.

    ``--provider`` narrows what the site has; without it, all of the site's, or all there are. Raises
    :class:`ConfigError` for a word that names nothing here.
    """
    kinds = {instance.name: instance.kind for instance in known}
    of_site = config.site[site].providers if site is not None else None
    here = {name for name in kinds if of_site is None or any(matches(it, name, kinds) for it in of_site)}
    for word in providers:
        if not any(matches(word, name, kinds) for name in here):
            raise ConfigError(_no_provider(word, site, here, kinds))
    if not providers:
        return here
    return {name for name in here if any(matches(word, name, kinds) for word in providers)}


def _no_provider(word: str, site: str | None, here: set[str], kinds: Mapping[str, str]) -> str:
    words = {*here, *(kinds[name] for name in here)}
    hint = did_you_mean(word, words)
    whose = f'site "{site}"' if site else "the configuration"
    return (
        f'--provider: {whose} has no provider instance or kind "{word}"'
        f"{'; ' + hint if hint else ''}; accepted: {listed(words)}"
    )
