"""Redis says which scheduler works while the store is away."""

from redis.asyncio import Redis

from servers.redis import LocalRedis
from vestibule.scheduler_service.leadership.fallback_lock import KEY, RedisFallbackLock


async def test_one_is_heard_at_a_time(redis: Redis) -> None:
    """Who beats first keeps the others quiet for as long as it beats; when it stops, the next is heard."""
    fallback_lock = RedisFallbackLock(redis)
    assert await fallback_lock.hold("one", 60)
    assert not await fallback_lock.hold("other", 60)
    assert await fallback_lock.hold("one", 60)
    assert 0 < await redis.pttl(KEY) <= 60_000
    await redis.delete(KEY)
    assert await fallback_lock.hold("other", 60)


async def test_without_redis_nobody_else_is_known_to_work(redis: Redis, server: LocalRedis) -> None:
    """Rather two that tell than none."""
    server.process.kill()
    server.process.wait(60)
    assert await RedisFallbackLock(redis).hold("one", 60)
