"""Carries out what the engine decided about routes: one slot per set, the latest epoch wins.

Tables are written in parallel, one table never twice at once, whatever group or instance asks (provider
contract, rule 4). A write that was cancelled or timed out may still land: its table stays locked until the call
has really ended, or could not land any more (rule 8). Every ``Point`` that was begun is answered with exactly
one ``WriteEnded``, every ``Observe`` with ``SetObserved`` or ``ObserveFailed``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final

from wgfo.config.setup import GroupSetup
from wgfo.daemon.giving import give_back, marks
from wgfo.daemon.guard import Backoff, Spawn, guarded
from wgfo.daemon.instances import Instance
from wgfo.daemon.prober import Sink
from wgfo.daemon.reading import Reads, read_sets
from wgfo.daemon.slots import Slot, Slots, TableKey
from wgfo.daemon.terms import Terms
from wgfo.daemon.writing import Write, failed
from wgfo.engine.decisions import Observe, Point
from wgfo.engine.events import ObserveFailed, SetChanged, SetObserved, WriteEnded
from wgfo.model import FailureKind, GroupName, ProviderName, SetObservation, SetOutcome
from wgfo.plugin import ProviderError, Transient

_US: Final = 1_000_000
RELEASE_US: Final = 3_000_000
GIVE_BACK_POLL_US: Final = 20_000
READS: Final = 2
"""Observe calls at once on an instance; the second place is kept for urgent ones."""
PERMANENT: Final = frozenset({FailureKind.DENIED, FailureKind.NOT_FOUND, FailureKind.UNSUPPORTED})


class Reconciler:
    """Writes and reads route sets.

    Args:
        terms: what every call is made under.
        sink: gets the events.
        spawn: starts core tasks.
    """

    def __init__(self, terms: Terms, sink: Sink, spawn: Spawn) -> None:
        self._terms = terms
        self._sink = sink
        self._spawn = spawn
        self._slots = Slots()
        self._instances: Mapping[ProviderName, Instance] = {}
        self._watches: dict[ProviderName, tuple[Instance, asyncio.Task[None]]] = {}
        self._clock = terms.clock
        self._calls: dict[asyncio.Task[None], ProviderName] = {}
        self._released: frozenset[ProviderName] = frozenset()
        """Instances on which nothing may begin, until the next configuration."""
        self._pumping = False
        self._closing = False

    def configure(self, instances: Mapping[ProviderName, Instance], groups: Sequence[GroupSetup]) -> None:
        """Work on these sets with these instances from now on."""
        self._instances = dict(instances)
        self._released = frozenset()
        sets = [(group.name, one) for group in groups for one in group.sets]
        self._slots.replace(
            Slot(one, name, self._table(instances, one.provider, one.table), order)
            for order, (name, one) in enumerate(sets)
        )
        self._watch()
        self._pump_soon()

    @staticmethod
    def _table(instances: Mapping[ProviderName, Instance], provider: ProviderName, table: str) -> TableKey:
        setup = instances[provider].setup
        return TableKey((setup.offer.kind, setup.scope, table))

    # --- what the runtime tells --------------------------------------------------------------------------

    def submit(self, decisions: Iterable[Point | Observe]) -> None:
        """Take decisions; they are begun in the loop's next turn, so that those of one moment go together."""
        for decision in decisions:
            slot = self._slots.by_id.get(decision.set_id)
            if slot is None or self._closing:
                continue
            if isinstance(decision, Observe):
                urgent = slot.observe is not None and slot.observe.urgent
                slot.observe = slot.observe if urgent else decision
            else:
                slot.supersede(decision.epoch, f"epoch {decision.epoch} replaces it")
                slot.take(decision)
        self._pump_soon()

    def supersede(self, group: GroupName, epoch: int) -> None:
        """The group has a newer epoch: nothing older is let out from here on (I2)."""
        for slot in self._slots.of_group(group):
            slot.supersede(epoch, f"epoch {epoch} replaces it")

    async def release(self, providers: Sequence[ProviderName]) -> None:
        """Have no call under way on these instances any more, so that they can be closed; bounded."""
        self._released = frozenset(providers)
        for slot in self._slots.by_id.values():
            if slot.provider in self._released and slot.running is not None:
                slot.running.permit.withdraw("the configuration changed")
        mine = [task for task, provider in self._calls.items() if provider in self._released]
        if mine:
            await asyncio.wait(mine, timeout=RELEASE_US / _US)
        for task in mine:
            task.cancel()
        if mine:
            await asyncio.wait(mine, timeout=RELEASE_US / _US)

    async def give_back(self, group: GroupName) -> tuple[str, ...]:
        """Have every set of a released group given back as plain routes; return what became of each. Bounded."""
        slots = list(self._slots.of_group(group))
        for slot in slots:
            slot.point = None
            if slot.running is not None:
                slot.running.permit.withdraw("the group was released")
        return tuple(await asyncio.gather(*(self._given_back(slot) for slot in slots)))

    async def _given_back(self, slot: Slot) -> str:
        instance = self._instances[slot.provider]
        if not marks(instance) or self._terms.dry_run:
            return ""
        until_us = self._clock.monotonic_us() + RELEASE_US
        while slot.table in self._slots.locked:
            if self._clock.monotonic_us() >= until_us:
                return f"{slot.route_set.id} is being written and keeps its mark: release it again"
            await self._clock.sleep_until_us(self._clock.monotonic_us() + GIVE_BACK_POLL_US)
        instance.writing += 1
        self._slots.locked[slot.table] = slot.route_set.id
        told: list[str] = []

        async def work() -> None:
            try:
                told.append(await give_back(instance, slot.route_set, self._clock))
            finally:
                self._free(slot, instance)

        await asyncio.wait({self._begin(work(), instance, f"give back {slot.route_set.id}")})
        return "".join(told)

    async def close(self, within_us: int) -> None:
        """Begin nothing more; let writes end, then withdraw them, then cancel them; bounded."""
        self._closing = True
        for _, watch in self._watches.values():
            watch.cancel()
        for slot in self._slots.by_id.values():
            slot.point = slot.observe = None
        writes = [slot.running for slot in self._slots.by_id.values() if slot.running]
        await self._settle(within_us // 2 if writes else 0)
        for running in writes:
            running.permit.withdraw("wgfo is stopping")
        await self._settle(within_us // 4 if writes else 0)
        for call in self._calls:
            call.cancel()
        await self._settle(within_us // 4)

    async def _settle(self, within_us: int) -> None:
        if self._calls and within_us:
            await asyncio.wait(list(self._calls), timeout=within_us / _US)

    # --- who goes next ------------------------------------------------------------------------------------

    def _pump_soon(self) -> None:
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        if self._closing:
            return
        for slot in self._slots.to_write():
            instance = self._instances[slot.provider]
            if instance.name in self._released:
                continue
            if slot.point and slot.table not in self._slots.locked and instance.writing < instance.parallel:
                self._begin_write(slot, instance, slot.point)
        for provider, slots in self._slots.to_read().items():
            if provider not in self._released:
                self._begin_reads(self._instances[provider], slots)

    def _begin_write(self, slot: Slot, instance: Instance, point: Point) -> None:
        slot.point = None
        if self._terms.dry_run:
            self._would_write(slot, point)
            return
        instance.writing += 1
        self._slots.locked[slot.table] = slot.route_set.id
        self._begin(self._write(slot, instance, point), instance, f"write {slot.route_set.id}")

    def _would_write(self, slot: Slot, point: Point) -> None:
        """A refusal that is tried again ever more rarely: what the live daemon does meanwhile is seen."""
        one = slot.route_set
        text = f"dry run: would point {len(one.prefixes)} prefixes of {one.table} at {one.hops[point.path]}"
        self._terms.notice(f"{slot.group}: {text} ({point.cause}, epoch {point.epoch})")
        self._ended(slot, point, failed(one, Transient(text)), text)

    async def _write(self, slot: Slot, instance: Instance, point: Point) -> None:
        """One write, from its first request until its table is free again."""
        write = Write(slot, point, instance, self._terms)
        held = True
        outcome, text = None, "the call was cut off: its provider is being closed"
        try:
            try:
                outcome, text = await write.run()
            finally:
                if not write.may_land:
                    held = self._free(slot, instance)
                self._ended(slot, point, outcome, text)
            await write.landed()
        finally:
            if held:
                self._free(slot, instance)

    def _free(self, slot: Slot, instance: Instance) -> bool:
        instance.writing -= 1
        del self._slots.locked[slot.table]
        self._pump_soon()
        return False

    def _ended(self, slot: Slot, point: Point, outcome: SetOutcome | None, text: str) -> None:
        at_us = self._clock.monotonic_us()
        self._sink(slot.group, WriteEnded(at_us, point.set_id, point.epoch, point.attempt, outcome, text))

    # --- reading ------------------------------------------------------------------------------------------

    def _begin_reads(self, instance: Instance, slots: Sequence[Slot]) -> None:
        urgent = any(slot.observe and slot.observe.urgent for slot in slots)
        if instance.observing >= (READS if urgent else READS - 1):
            return
        instance.observing += 1
        asked = [(slot, slot.observe, slot.writes) for slot in slots if slot.observe]
        for slot in slots:
            slot.reading, slot.observe = True, None
        self._begin(self._read(instance, asked, urgent=urgent), instance, f"read {instance.name}")

    async def _read(
        self, instance: Instance, asked: Sequence[tuple[Slot, Observe, int]], *, urgent: bool
    ) -> None:
        """One read; what is cut off, because the provider is being closed, waits for the next instance."""
        found: Reads = {}
        try:
            sets = [slot.route_set for slot, _, _ in asked]
            found = await read_sets(instance, sets, self._terms, urgent=urgent, order=asked[0][0].order)
        finally:
            instance.observing -= 1
            for slot, decision, _ in asked:
                slot.reading = False
                if not found:
                    slot.observe = slot.observe or decision
            self._pump_soon()
        for slot, decision, writes in asked:
            if self._slots.by_id.get(slot.route_set.id) is not slot:  # the configuration changed
                continue
            if slot.writes != writes:  # a write came between: what was read may be older than it
                slot.observe = slot.observe or decision
                continue
            self._found(slot, found[slot.route_set.id])

    def _found(self, slot: Slot, read: SetObservation | ProviderError) -> None:
        at_us = self._clock.monotonic_us()
        if isinstance(read, SetObservation):
            slot.last = read
            self._sink(slot.group, SetObserved(at_us, read))
            return
        retry_us = None if read.retry_after_ms is None else read.retry_after_ms * 1_000
        permanent = read.kind in PERMANENT
        self._sink(slot.group, ObserveFailed(at_us, slot.route_set.id, str(read), permanent, retry_us))

    # --- hints --------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Have one watch on every instance that can; an instance that was opened anew gets a new one."""
        for name, (instance, task) in list(self._watches.items()):
            if self._instances.get(name) is not instance:
                task.cancel()
                del self._watches[name]
        for name, instance in self._instances.items():
            if instance.capabilities.watches and name not in self._watches:
                self._watches[name] = (instance, self._spawn(self._hints(instance), name=f"watch {name}"))

    async def _hints(self, instance: Instance) -> None:
        def problem(why: str) -> None:
            self._terms.notice(f"provider {instance.name}: watching for changes: {why}")

        await guarded(lambda: self._hear(instance), problem, Backoff(self._clock))

    async def _hear(self, instance: Instance) -> None:
        sets = [slot.route_set for slot in self._slots.by_id.values() if slot.provider == instance.name]
        async for changed in instance.provider.watch(sets):
            slot = self._slots.by_id.get(changed.set_id)
            if slot is not None and slot.running is None:
                self._sink(slot.group, SetChanged(self._clock.monotonic_us(), changed.set_id))

    def _begin(self, work: Coroutine[Any, Any, None], instance: Instance, name: str) -> asyncio.Task[None]:
        task = self._spawn(work, name=name)
        self._calls[task] = instance.name
        task.add_done_callback(self._calls.pop)
        return task
