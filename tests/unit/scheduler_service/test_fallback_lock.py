"""Redis decides which scheduler is active while the store is unavailable."""

from redis.asyncio import Redis

from servers.redis import LocalRedis
from vestibule.scheduler_service.lease import FALLBACK_KEY, RedisFallbackLock


async def test_one_holds_the_lock_at_a_time(redis: Redis) -> None:
    """The first holder keeps the lock for as long as it renews it; when it stops, the next gets it."""
    fallback_lock = RedisFallbackLock(redis)
    assert await fallback_lock.hold("one", 60)
    assert not await fallback_lock.hold("other", 60)
    assert await fallback_lock.hold("one", 60)
    assert 0 < await redis.pttl(FALLBACK_KEY) <= 60_000
    await redis.delete(FALLBACK_KEY)
    assert await fallback_lock.hold("other", 60)


async def test_without_redis_the_lock_counts_as_acquired(redis: Redis, server: LocalRedis) -> None:
    """Two active schedulers are better than none."""
    server.process.kill()
    server.process.wait(60)
    assert await RedisFallbackLock(redis).hold("one", 60)
