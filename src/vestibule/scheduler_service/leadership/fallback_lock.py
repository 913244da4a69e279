"""The fallback of the lease: a lock in Redis, for when the store is unavailable."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

KEY = "vestibule:watch:working"


class RedisFallbackLock:
    """A lock that expires unless its holder renews it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def hold(self, holder: str, for_s: float) -> bool:
        """Acquire or renew the lock for `holder`; False where another holds it. Without Redis it counts as acquired."""
        try:
            is_free = await self._redis.set(KEY, holder, nx=True, px=int(for_s * 1000))
            if not is_free and await self._redis.get(KEY) != holder.encode():
                return False
            await self._redis.pexpire(KEY, int(for_s * 1000))
        except (RedisError, OSError):
            pass
        return True
