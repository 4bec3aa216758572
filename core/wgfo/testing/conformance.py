"""The suite as one class: subclass it, say what your world is, run pytest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import ParamSpec, TypeVar

import pytest
import pytest_asyncio

pytest.register_assert_rewrite("wgfo.testing.bench", "wgfo.testing.rules")

from wgfo.testing.bench import Bench, bench_on  # noqa: E402 - after their assertions are made to explain
from wgfo.testing.rules import Rule  # noqa: E402
from wgfo.testing.rules.apart import OneFailureIsOneFailure  # noqa: E402
from wgfo.testing.rules.continuity import NeverAbsent  # noqa: E402
from wgfo.testing.rules.discovery import DiscoveryIsCheap  # noqa: E402
from wgfo.testing.rules.errors import ErrorsAreTranslated  # noqa: E402
from wgfo.testing.rules.fence import TheTokenIsTheFence  # noqa: E402
from wgfo.testing.rules.late import LateWritesAreWaitedFor  # noqa: E402
from wgfo.testing.rules.loop import TheLoopIsNotBlocked  # noqa: E402
from wgfo.testing.rules.named import OnlyWhatIsNamed  # noqa: E402
from wgfo.testing.rules.permits import APermitForEachRequest  # noqa: E402
from wgfo.testing.rules.shape import Shape  # noqa: E402
from wgfo.testing.rules.twice import TwiceEqualsOnce  # noqa: E402
from wgfo.testing.rules.visible import DoneMeansVisible  # noqa: E402
from wgfo.testing.world import ProviderWorld  # noqa: E402

P = ParamSpec("P")
R = TypeVar("R", bound=Awaitable[object] | AsyncIterator[object])


def fixture(function: Callable[P, R]) -> Callable[P, R]:
    """Make a fixture of an async function or generator: ``world``.

    It shares its test's event loop whatever the project's settings of pytest-asyncio are.
    """
    return pytest_asyncio.fixture(function, loop_scope="function")


@pytest.mark.asyncio(loop_scope="function")
class ProviderConformance(
    Shape,
    TwiceEqualsOnce,
    NeverAbsent,
    OnlyWhatIsNamed,
    OneFailureIsOneFailure,
    TheTokenIsTheFence,
    DoneMeansVisible,
    APermitForEachRequest,
    LateWritesAreWaitedFor,
    TheLoopIsNotBlocked,
    ErrorsAreTranslated,
    DiscoveryIsCheap,
):
    """Every rule of the provider contract. A subclass whose name begins with ``Test`` defines ``world``."""

    @fixture
    async def world(self) -> ProviderWorld:
        """Make the platform; the subclass overrides this."""
        raise NotImplementedError("define a fixture 'world' which returns or yields your ProviderWorld")

    @fixture
    async def bench(self, world: ProviderWorld) -> AsyncIterator[Bench]:
        """Put the world on the test bench."""
        async with bench_on(world) as bench:
            yield bench


def rule_class(name: str) -> type[Rule]:
    """Return the rule's class to which a test of the suite belongs."""
    return next(base for base in ProviderConformance.__mro__ if name in vars(base) and issubclass(base, Rule))
