"""A service in the process of a test, called as other services call it."""

from collections import Counter
from typing import Any

from httpx import AsyncClient

from vestibule.service_kit.service_client import ServiceClient, ServiceResponse


class LocalPeer(ServiceClient):
    """Calls a service in this process, and counts the calls."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._timeout_s = 60
        self.calls: Counter[str] = Counter()

    async def call(  # type: ignore[override]
        self, method: str, path: str, *, query: Any = None, body: Any = None, headers: Any = None, **_: Any
    ) -> ServiceResponse:
        self.calls[path] += 1
        answer = await self._client.request(method, path, params=query, json=body, headers=headers)
        return ServiceResponse(answer.status_code, answer.json())
