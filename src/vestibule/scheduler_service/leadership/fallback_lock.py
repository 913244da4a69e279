"""The second place that knows which scheduler works: Redis, for when the store is away."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

KEY = "vestibule:watch:working"


class RedisFallbackLock:
    """Holds the name of who works for as long as it goes on saying so."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def beat(self, holder: str, for_s: float) -> bool:
        """Say that `holder` works, for a time; False where another does. Without Redis nobody else is known to."""
        try:
            is_free = await self._redis.set(KEY, holder, nx=True, px=int(for_s * 1000))
            if not is_free and await self._redis.get(KEY) != holder.encode():
                return False
            await self._redis.pexpire(KEY, int(for_s * 1000))
        except (RedisError, OSError):
            pass
        return True
