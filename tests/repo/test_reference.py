"""Every option, metric and command has its entry in the reference, and every entry is real."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

import pytest
from pydantic import BaseModel

from tests.repo.tree import ROOT
from wgfo.config import models
from wgfo.plugin import LeaseOffer, ProbeOffer, RouteOffer
from wgfo.plugin.manager import discover

REFERENCE = ROOT / "docs/reference"
INSTALLED = discover()
OFFERS: list[RouteOffer | ProbeOffer | LeaseOffer] = [
    *INSTALLED.routes.values(),
    *INSTALLED.probes.values(),
    *INSTALLED.leases.values(),
]
SECTIONS: Mapping[str, tuple[type[BaseModel], ...]] = {
    "Top level": (models.Config,),
    "`[daemon]`": (models.Daemon,),
    "`[daemon.tls]`": (models.Tls,),
    "`[daemon.journal]`": (models.JournalLimits,),
    "`[site.NAME]`": (models.Site,),
    "`[provider.NAME]`": (models.Provider,),
    "`[[group]]` and `[profile.NAME]`": (models.Group,),
    "`detect`": (models.Detect, models.Loss, models.Recover, models.Latency),
    "`damping`": (models.Damping, models.MaxMoves),
    "`[[group.path]]`": (models.GroupPath,),
    "`[[group.probe]]`": (models.Probe,),
    "`[[group.route]]`": (models.Route,),
    "`[[group.service]]`": (models.Service,),
    "`[group.follow]`": (models.Follow, models.Leader),
    "`[lease]`": (models.LeaseSection,),
    "`[[notify]]`": (models.Notify,),
    **{
        f"Kind `{offer.kind}`": (offer.options_model,) for offer in OFFERS if offer.options_model.model_fields
    },
}
CONVERTED = {"`[daemon.journal]`"}
"""Sections whose keys are all optional and whose text becomes another value: compared after validation."""


def sections(page: str) -> Iterator[tuple[str, str]]:
    """Yield each heading of a page with the text below it."""
    parts = re.split(r"^#+ (.*)$", (REFERENCE / page).read_text(), flags=re.MULTILINE)
    yield from zip(parts[1::2], parts[2::2], strict=True)


def first_cells(text: str) -> set[str]:
    """The code words in the first column of the tables."""
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_configuration_reference_lists_exactly_the_keys_of_a_section(heading: str) -> None:
    described = first_cells(dict(sections("configuration.md"))[heading])
    assert described == set().union(*map(keys, SECTIONS[heading]))


def defaults(text: str) -> dict[str, object]:
    """The defaults that the tables give as one value in TOML."""
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", text, re.MULTILINE)
    return {key: tomllib.loads(f"value = {value}")["value"] for key, value in rows}


@pytest.mark.parametrize("heading", [heading for heading, kinds in SECTIONS.items() if len(kinds) == 1])
def test_the_configuration_reference_gives_the_true_defaults(heading: str) -> None:
    (model,) = SECTIONS[heading]
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for key, documented in defaults(dict(sections("configuration.md"))[heading]).items():
        actual = fields[key].default
        read = getattr(model.model_validate({key: documented}), key) if heading in CONVERTED else documented
        assert read in (actual, str(actual)), key


def test_the_configuration_reference_knows_every_section_with_keys_of_its_own() -> None:
    described = {heading for heading, text in sections("configuration.md") if first_cells(text)}
    assert described == set(SECTIONS)


def test_every_occasion_of_a_notification_is_explained() -> None:
    alarms = first_cells(dict(sections("status-json.md"))["Alarms"])
    assert set(models.Occasion) - {"switch", "frozen"} == alarms
