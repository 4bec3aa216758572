"""``wgfo emit permissions``: the least rights that the providers of this configuration need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wgfo.cli.emitting import DirectoryOption, emit
from wgfo.cli.options import ConfigOption, ProviderOption, SiteOption
from wgfo.cli.output import message

if TYPE_CHECKING:
    from wgfo.config.setup import ProviderSetup, Setup


def permissions(
    *,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
    site: SiteOption = None,
    provider: ProviderOption = None,
) -> None:
    """Print the least-privilege policy for the configured routes, in the platform's own format.

    An IAM policy, a custom role, a systemd drop-in: one for each provider instance.
    """
    from wgfo.cli.configured import configure
    from wgfo.cli.errors import CliError

    setup = configure(config, site, provider).setup
    policies = dict(_policies(setup))
    if not policies:
        raise CliError("no provider of this configuration names rights; configured: " + _instances(setup))
    emit(policies, directory, narrow="name one instance with --provider NAME")


def _policies(setup: Setup) -> Iterator[tuple[str, str]]:
    for provider in setup.providers:
        text = _policy(setup, provider)
        if text is None:
            message(f"notice: provider {provider.name}: kind {provider.offer.kind} names no rights")
        else:
            yield f"{provider.name}.{_suffix(text)}", text


def _policy(setup: Setup, provider: ProviderSetup) -> str | None:
    if provider.offer.permissions is None:
        return None
    sets = [one for group in setup.groups for one in group.sets if one.provider == provider.name]
    return provider.offer.permissions(sets, provider.options)


def _suffix(text: str) -> str:
    """Name the file for what it is; the platforms' tools read any name."""
    if text.startswith("{"):
        return "json"
    return "conf" if "\n[Service]\n" in text else "yaml"


def _instances(setup: Setup) -> str:
    return ", ".join(f"{one.name} ({one.offer.kind})" for one in setup.providers) or "none"
