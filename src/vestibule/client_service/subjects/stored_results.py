"""The results in Redis: erases those that contain a subject's value."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.client_service.queue.result_backend import RESULT_PREFIX
from vestibule.client_service.task_service.outcomes import open_outcome
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.subjects import SubjectSearch
from vestibule.encryption import Cipher, DecryptionFailed


class StoredResults:
    """Decrypts and searches every result."""

    def __init__(self, redis: Redis, cipher: Cipher) -> None:
        self._redis = redis
        self._cipher = cipher

    async def erase(self, search: SubjectSearch) -> tuple[int, int]:
        """Erase every result that contains a subject; return how many were examined and erased.

        Raises:
            Unavailable: Redis does not answer.
        """
        examined = erased = 0
        try:
            async for key in self._redis.scan_iter(match=f"{RESULT_PREFIX}*", count=1000):
                content = await self._redis.get(key)
                if not isinstance(content, bytes):
                    continue  # expired meanwhile
                examined += 1
                if await self._is_found(search, key.decode().removeprefix(RESULT_PREFIX), content):
                    erased += int(await self._redis.delete(key))
        except (RedisError, OSError) as error:
            raise Unavailable("queue", "The queue does not answer.") from error
        return examined, erased

    async def _is_found(self, search: SubjectSearch, task_id: str, content: bytes) -> bool:
        try:
            result = open_outcome(self._cipher, task_id, content).result
        except DecryptionFailed:
            return False  # without its key it is unreadable anyway
        return await search.finds_among(result)
