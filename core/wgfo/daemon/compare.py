"""What a new configuration changes for the groups that run; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wgfo.config.setup import GroupSetup, ProbeSetup, ServiceSetup
from wgfo.model import PathView


def same_group(one: GroupSetup, other: GroupSetup) -> bool:
    """Whether a group may go on as it is: nothing that decides, probes or writes for it is different."""
    return _group_key(one) == _group_key(other)


def _group_key(group: GroupSetup) -> tuple[object, ...]:
    return (
        group.policy,
        tuple(_view_key(view) for view in group.paths),
        tuple(_probe_key(probe) for probe in group.probes),
        tuple((one, str(one.options)) for one in group.sets),
        tuple(_service_key(service) for service in group.services),
    )


def _view_key(view: PathView) -> tuple[object, ...]:
    return (view, _items(view.targets))


def _probe_key(probe: ProbeSetup) -> tuple[object, ...]:
    return (
        probe.offer.kind,
        probe.options.model_dump_json(),
        probe.interval_us,
        probe.timeout_us,
        probe.stream,
        probe.source,
        probe.paths,
        _items(probe.addresses),
        _items(probe.anchors),
    )


def _service_key(service: ServiceSetup) -> tuple[object, ...]:
    return (service.policy, service.offer.kind, service.options.model_dump_json(), service.timeout_us)


def _items(mapping: Mapping[Any, object]) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(((str(key), value) for key, value in mapping.items()), key=lambda item: item[0]))
