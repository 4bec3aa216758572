"""The JSON Schema says what the models say, with the keys of the installed kinds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.config import fakes
from wgfo.config.models import Config
from wgfo.config.schema import json_schema


def refs(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
        for value in schema.values():
            yield from refs(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from refs(value)


def test_every_section_of_the_configuration_is_described() -> None:
    assert set(json_schema(fakes.registry())["properties"]) == set(Config.model_fields)


def test_every_reference_leads_somewhere() -> None:
    schema = json_schema(fakes.registry())
    assert {ref.removeprefix("#/$defs/") for ref in refs(schema)} <= set(schema["$defs"])


def test_an_installed_probe_kind_has_its_own_keys_and_no_others() -> None:
    variants = json_schema(fakes.registry())["$defs"]["Probe"]["anyOf"]
    icmp = next(it for it in variants if it["properties"]["kind"].get("const") == "icmp")
    assert {"size", "class", "interval", "targets"} <= set(icmp["properties"])
    assert icmp["additionalProperties"] is False


def test_a_kind_that_is_not_installed_may_have_any_keys() -> None:
    other = json_schema(fakes.registry())["$defs"]["Probe"]["anyOf"][-1]
    assert other["additionalProperties"] is True
    assert "icmp" in other["not"]["properties"]["kind"]["enum"]


def test_a_provider_section_named_like_a_kind_is_of_that_kind() -> None:
    provider = json_schema(fakes.registry())["properties"]["provider"]
    aws = provider["properties"]["aws"]["anyOf"][0]
    assert "region" in aws["properties"]
    assert aws["required"] == ["region"]
    assert all("kind" in it["required"] for it in provider["additionalProperties"]["anyOf"][:-1])


def test_defaults_stand_as_in_a_file() -> None:
    definitions = json_schema(fakes.registry())["$defs"]
    assert definitions["Settings"]["properties"]["wait_to_restore"]["default"] == "5m"
    assert definitions["Daemon"]["properties"]["control"]["default"] == "/run/wgfo/control.sock"
