"""Of several schedulers one is active, and another takes over within the time of the lease."""

from hypothesis import given
from hypothesis import strategies as st

from vestibule.contracts.entries import BatchPair, Pair
from vestibule.contracts.errors import Unavailable
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.scheduler_service.lease import CHECK, KEY, Lease, LeaseLost, Role

from .conftest import FallbackLocks, LocalEntries, SteadyClock

LEASE_S = 12.0


class Replica:
    """A scheduler with its own connection to the store."""

    def __init__(self, name: str, entries: MemoryStore, clock: SteadyClock, fallback_lock: FallbackLocks) -> None:
        self.store = LocalEntries(entries)
        self.lease = Lease(self.store, fallback_lock, name, LEASE_S, clock)

    @property
    def role(self) -> Role:
        return self.lease.role


def _pair(clock: SteadyClock) -> tuple[Replica, Replica]:
    entries, fallback_lock = MemoryStore(), FallbackLocks()
    return Replica("a:1", entries, clock, fallback_lock), Replica("b:1", entries, clock, fallback_lock)


async def _pass_time(clock: SteadyClock, seconds: float, *replicas: Replica) -> None:
    """Let time pass, and every replica check its lease as often as it does."""
    end = clock.now_s + seconds
    while clock.now_s < end:
        clock.now_s += LEASE_S * CHECK
        for replica in replicas:
            await replica.lease.keep()


async def test_one_of_two_is_active(clock: SteadyClock) -> None:
    """The first is active for as long as it lives; the other stays passive."""
    one, other = _pair(clock)
    await _pass_time(clock, 10 * LEASE_S, one, other)
    assert (Role.ACTIVE, Role.PASSIVE) == (one.role, other.role)
    assert "a:1" == other.lease.holder
    assert (True, False) == (await one.lease.may_work(), await other.lease.may_work())


async def test_another_takes_over_within_the_lease(clock: SteadyClock) -> None:
    """When the active one dies, the other is active before the lease would have ended."""
    one, other = _pair(clock)
    await _pass_time(clock, LEASE_S, one, other)
    await _pass_time(clock, LEASE_S, other)
    assert (Role.ACTIVE, "b:1") == (other.role, other.lease.holder)


async def test_a_frozen_holder_does_not_stay_active(clock: SteadyClock) -> None:
    """A process that was frozen while another took over notices before it does anything."""
    one, other = _pair(clock)
    await _pass_time(clock, LEASE_S, one, other)
    await _pass_time(clock, 2 * LEASE_S, other)
    assert Role.ACTIVE is one.role
    assert not await one.lease.may_work()


async def test_a_released_lease_is_free_at_once(clock: SteadyClock) -> None:
    """After a graceful stop another scheduler is active at once."""
    one, other = _pair(clock)
    await _pass_time(clock, LEASE_S, one, other)
    await one.lease.release()
    await other.lease.keep()
    assert (Role.PASSIVE, Role.ACTIVE) == (one.role, other.role)


async def test_a_restart_under_the_same_name_need_not_wait(clock: SteadyClock) -> None:
    """A scheduler that was killed and started again goes on at once."""
    entries, fallback_lock = MemoryStore(), FallbackLocks()
    await Replica("a:1", entries, clock, fallback_lock).lease.keep()
    again = Replica("a:1", entries, clock, fallback_lock)
    await again.lease.keep()
    assert Role.ACTIVE is again.role


async def test_two_of_the_same_name_do_not_take_turns(clock: SteadyClock) -> None:
    """Where two go by the same name, the one that lost stays passive."""
    entries, fallback_lock = MemoryStore(), FallbackLocks()
    one, other = (Replica("a:1", entries, clock, fallback_lock) for _ in range(2))
    await one.lease.keep()
    await other.lease.keep()
    await _pass_time(clock, 5 * LEASE_S, one, other)
    assert (Role.PASSIVE, Role.ACTIVE) == (one.role, other.role)
    assert 1 == other.lease.term


async def test_the_holder_stays_active_while_the_store_is_unavailable(clock: SteadyClock) -> None:
    """One scheduler has to alert on the outage of the store; nothing changes when the store is back."""
    one, other = _pair(clock)
    await _pass_time(clock, LEASE_S, one, other)
    one.store.is_away = other.store.is_away = True
    await _pass_time(clock, 5 * LEASE_S, one, other)
    assert (True, False) == (await one.lease.may_work(), await other.lease.may_work())
    one.store.is_away = other.store.is_away = False
    await _pass_time(clock, 5 * LEASE_S, one, other)
    assert (Role.ACTIVE, Role.PASSIVE) == (one.role, other.role)


async def test_without_a_store_from_the_start_one_is_active(clock: SteadyClock) -> None:
    """Without a store the first scheduler is active, and acquires the lease when the store is there."""
    one, other = _pair(clock)
    one.store.is_away = other.store.is_away = True
    await _pass_time(clock, LEASE_S, one, other)
    assert (Role.ALONE, Role.PASSIVE) == (one.role, other.role)
    one.store.is_away = other.store.is_away = False
    await _pass_time(clock, 2 * LEASE_S, one, other)
    assert (Role.ACTIVE, Role.PASSIVE) == (one.role, other.role)


async def test_the_active_one_dies_while_the_store_is_unavailable(clock: SteadyClock) -> None:
    """When its lock in Redis expires, another scheduler is active."""
    one, other = _pair(clock)
    fallback_lock = other.lease._fallback_lock
    assert isinstance(fallback_lock, FallbackLocks)
    await _pass_time(clock, LEASE_S, one, other)
    other.store.is_away = True
    fallback_lock.name = None
    await _pass_time(clock, LEASE_S, other)
    assert Role.ALONE is other.role


async def test_only_the_holder_writes(clock: SteadyClock) -> None:
    """A holder that lost its lease without knowing writes nothing over what the next one wrote."""
    one, other = _pair(clock)
    await _pass_time(clock, LEASE_S, one, other)
    await one.lease.write([BatchPair(key="state", value="one")])
    await _pass_time(clock, 2 * LEASE_S, other)
    await other.lease.write([BatchPair(key="state", value="other")])
    for replica in (one, one):
        try:
            await replica.lease.write([BatchPair(key="state", value="late")])
        except LeaseLost:
            continue
        raise AssertionError("it was written")
    found = await other.store.find("state")
    assert found is not None
    assert "other" == found.value


async def test_a_write_whose_answer_was_lost_loses_no_lease(clock: SteadyClock) -> None:
    """The version of its own write, whose answer was lost, is not taken for another's."""
    one, other = _pair(clock)
    await _pass_time(clock, LEASE_S, one, other)
    entry = await one.store.find(KEY)
    assert entry is not None
    await one.store.write(Pair(key=KEY, value=entry.value))
    await _pass_time(clock, 2 * LEASE_S, one, other)
    assert (Role.ACTIVE, Role.PASSIVE) == (one.role, other.role)


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.floats(0.1, 1.5)), max_size=40))
async def test_the_store_always_knows_one_holder(steps: list[tuple[int, bool, float]]) -> None:
    """In any order of checks, pauses and outages of the store, only the holder can write."""
    clock, entries, fallback_lock = SteadyClock(), MemoryStore(), FallbackLocks()
    replicas = [Replica(f"{name}:1", entries, clock, fallback_lock) for name in "abc"]
    for who, is_away, share in steps:
        clock.now_s += LEASE_S * share
        replicas[who].store.is_away = is_away
        await replicas[who].lease.keep()
    written = 0
    for replica in replicas:
        replica.store.is_away = False
        try:
            await replica.lease.write([BatchPair(key="state", value=replica.lease.role)])
            written += 1
        except (LeaseLost, Unavailable):
            continue
    assert written <= 1
