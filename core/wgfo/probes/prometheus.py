"""The ``prometheus`` probe: an instant query per path, and what its samples say.

    every sample satisfies ``up_if``             up
    a sample does not                            down
    no sample, NaN, older than ``max_age``,
    a warning, an error, no answer in time       unknown: never down

The age is the distance between the evaluation and the sample, both by Prometheus's own clock
(https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries).
"""

from __future__ import annotations

import asyncio
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from wgfo.model import Verdict
from wgfo.plugin import ProbeContext
from wgfo.plugin.probe import Report
from wgfo.plugin.values import Duration
from wgfo.probes.template import filled

if TYPE_CHECKING:
    from wgfo.probes.json_client import JsonClient
    from wgfo.probes.polling import Said

_CONDITION: Final = re.compile(r"(==|!=|>=|<=|>|<)\s*(-?[0-9]+(?:\.[0-9]+)?)")
_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def base_url(text: str) -> str:
    """Return an HTTP address without a slash at its end; ``ValueError`` says what is accepted."""
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", text):
        raise ValueError(f"{text!r} is no URL; accepted: http://HOST:PORT or https://…, without credentials")
    return text.rstrip("/")


def _condition(text: str) -> str:
    if not _CONDITION.fullmatch(text):
        raise ValueError(f'{text!r} is no condition; accepted: ==, !=, >=, <=, > or < and a number: "== 1"')
    return text


Url = Annotated[str, AfterValidator(base_url)]


class PrometheusOptions(BaseModel):
    """Options of ``kind = "prometheus"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url
    """Of Prometheus, or whatever answers its query API."""
    query: Annotated[str, Field(min_length=1)]
    """PromQL; ``{group}`` and ``{path}`` are filled in."""
    up_if: Annotated[str, AfterValidator(_condition)] = "== 1"
    """What a sample must satisfy."""
    max_age: Duration = Duration(60_000_000)
    """Samples that are older say nothing."""
    token_file: Path | None = None
    """File with a bearer token."""
    username: Annotated[str, Field(pattern=r"^[^:]+$")] | None = None
    """For basic authentication, with ``password_file``."""
    password_file: Path | None = None
    tls_verify: bool = True

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file belong together; accepted: both, or token_file")
        if self.token_file is not None and self.username is not None:
            raise ValueError("token_file and username are two ways to sign in; accepted: one of them")
        return self

    def accepts(self, value: float) -> bool:
        """Whether a sample says up."""
        match = _CONDITION.fullmatch(self.up_if)
        assert match is not None
        return _OPERATORS[match[1]](value, float(match[2]))


class Unclear(Exception):
    """The answer says nothing of the path; the text says why."""


class _Sample(BaseModel):
    metric: dict[str, str]
    value: tuple[float, str]


_SAMPLES: Final = TypeAdapter(tuple[_Sample, ...])
_SCALAR: Final = TypeAdapter(tuple[float, str])


@dataclass(frozen=True, slots=True)
class Value:
    """One sample: when it was evaluated, by Prometheus's clock, and what it is."""

    labels: tuple[tuple[str, str], ...]
    at_s: float
    number: float


def read_values(answer: Mapping[str, object]) -> Sequence[Value]:
    """Return the samples of an instant query; raises :class:`Unclear`."""
    if answer.get("warnings"):
        raise Unclear("Prometheus warns that its answer is not whole")
    data = answer.get("data")
    kind = data.get("resultType") if isinstance(data, dict) else None
    try:
        if isinstance(data, dict) and kind == "vector":
            return [_value(one) for one in _SAMPLES.validate_python(data.get("result"))]
        if isinstance(data, dict) and kind == "scalar":
            at_s, text = _SCALAR.validate_python(data.get("result"))
            return [Value((), at_s, float(text))]
    except (ValidationError, ValueError):
        raise Unclear("the answer is not one of Prometheus's query API") from None
    raise Unclear("the query gives no instant vector and no scalar")


def _value(sample: _Sample) -> Value:
    labels = ((name, value) for name, value in sample.metric.items() if name != "__name__")
    return Value(tuple(sorted(labels)), sample.value[0], float(sample.value[1]))


def judge(options: PrometheusOptions, values: Sequence[Value], stamps: Sequence[Value]) -> Said:
    """Return what the samples say; ``stamps`` are their own times, as ``timestamp()`` gives them."""
    if not values:
        return Verdict.UNKNOWN, "the query finds no sample"
    if any(math.isnan(value.number) for value in values):
        return Verdict.UNKNOWN, "the query gives NaN"
    oldest_s = max((stamp.at_s - stamp.number for stamp in stamps), default=0.0)
    if oldest_s * 1_000_000 > options.max_age.us:
        return Verdict.UNKNOWN, f"the newest sample is older than {options.max_age}"
    bad = [value.number for value in values if not options.accepts(value.number)]
    if bad:
        return Verdict.DOWN, f"the query gives {bad[0]:g}, up is {options.up_if}"
    return Verdict.UP, f"the query gives {values[0].number:g}"


class PrometheusProbe:
    """Asks about one path; implements :class:`wgfo.plugin.PushProbe`."""

    def __init__(self, context: ProbeContext, options: PrometheusOptions) -> None:
        self._context = context
        self._options = options
        self._query = filled(options.query, context.path)
        self._client: JsonClient | None = None

    async def run(self, emit: Callable[[Report], None]) -> None:
        """Ask once an interval, until cancelled; raises ``ConfigError`` for a bad file of credentials."""
        # aiohttp takes 0.3 s to import; most need none.
        from wgfo.probes.json_client import JsonClient  # noqa: PLC0415
        from wgfo.probes.polling import authorization, report_changes  # noqa: PLC0415

        options = self._options
        header = authorization(options.token_file, options.username, options.password_file)
        self._client = JsonClient(self._context.timeout_us, header, tls_verify=options.tls_verify)
        await report_changes(self._context, self._ask, emit, "prometheus")

    async def aclose(self) -> None:
        """Close the client."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _ask(self) -> Said:
        from wgfo.probes.json_client import NoAnswer  # noqa: PLC0415 - imported already

        try:
            values, stamps = await asyncio.gather(self._values(self._query), self._stamps())
            return judge(self._options, values, stamps)
        except (NoAnswer, Unclear) as error:
            return Verdict.UNKNOWN, f"Prometheus: {error}"

    async def _values(self, query: str) -> Sequence[Value]:
        assert self._client is not None, "run() made it"
        return read_values(await self._client.get(f"{self._options.url}/api/v1/query", {"query": query}))

    async def _stamps(self) -> Sequence[Value]:
        """Return the samples' own times; an expression has none, and a scalar cannot be asked for it."""
        from wgfo.probes.json_client import NoAnswer  # noqa: PLC0415 - imported already

        try:
            return await self._values(f"timestamp({self._query})")
        except NoAnswer as error:
            if str(error).startswith("status 400"):
                return ()
            raise
