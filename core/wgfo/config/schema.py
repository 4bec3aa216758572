"""The JSON Schema of ``wgfo.toml``, with the options of the kinds that are installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from wgfo.config.effective import plain
from wgfo.config.models import Config
from wgfo.plugin.manager import Registry

Schema = dict[str, Any]


class _Generator(GenerateJsonSchema):
    """Writes defaults as they stand in a file."""

    def encode_default(self, dft: Any) -> Any:
        """Return a default as text, number or list."""
        return super().encode_default(plain(dft))


def json_schema(registry: Registry) -> Schema:
    """Return the schema: a section of an installed kind has that kind's keys, of another kind any keys."""
    schema = Config.model_json_schema(by_alias=True, schema_generator=_Generator)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    definitions = schema["$defs"]
    providers = {kind: offer.options_model for kind, offer in registry.routes.items()}
    probes = {kind: offer.options_model for kind, offer in registry.probes.items()}
    leases = {kind: offer.options_model for kind, offer in registry.leases.items()}
    _by_name(schema, _kinds(definitions, "Provider", providers), providers)
    for section, models in (("Probe", probes), ("Service", probes), ("LeaseSection", leases)):
        definitions[section] = {"anyOf": list(_kinds(definitions, section, models).values())}
    return schema


def _by_name(schema: Schema, kinds: Mapping[str, Schema], models: Mapping[str, type[BaseModel]]) -> None:
    """``[provider.aws]`` is of kind aws unless it says otherwise; any other name must say its kind."""
    section = schema["properties"]["provider"]
    named = [{**kinds[kind], "required": ["kind"]} for kind in models]
    section["properties"] = {kind: {"anyOf": [kinds[kind], *named]} for kind in models}
    section["additionalProperties"] = {"anyOf": [*named, kinds[""]]}


def _kinds(definitions: Schema, section: str, models: Mapping[str, type[BaseModel]]) -> dict[str, Schema]:
    """Return the section's schema for each kind; under the empty name, for kinds that are not installed."""
    core = definitions[section]
    found = {kind: _with_options(definitions, core, kind, model) for kind, model in models.items()}
    others = {"not": {"properties": {"kind": {"enum": sorted(models)}}, "required": ["kind"]}}
    found[""] = {**core, **others}
    return found


def _with_options(definitions: Schema, core: Schema, kind: str, model: type[BaseModel]) -> Schema:
    options = model.model_json_schema(ref_template=f"#/$defs/{kind}-{{model}}", schema_generator=_Generator)
    for name, definition in options.pop("$defs", {}).items():
        definitions[f"{kind}-{name}"] = definition
    properties = {**options.get("properties", {}), **core["properties"], "kind": {"const": kind}}
    return {
        **core,
        "title": f"{core['title']} of kind {kind}",
        "properties": properties,
        "required": sorted({*core.get("required", ()), *options.get("required", ())}),
        "additionalProperties": False,
    }
