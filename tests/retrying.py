"""A caller that does as the API says: it repeats a request that got a 503 with `Retry-After`.

The services answer within a second or refuse. On a machine that runs many tests at once they refuse now and then, which
is no fault: tests of anything else ask again, and tests of refusals use a client without this transport.
"""

import time
from collections.abc import Callable

import httpx

GIVES_UP_AFTER_S = 60.0


class RetryingTransport(httpx.BaseTransport):
    """Repeats requests while the answer is a 503 with `Retry-After`, for a minute at most.

    Such a request may have been carried out. It is repeated all the same, without an idempotency key.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._pause = pause

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the first answer that is no 503 with `Retry-After`, or the last one in time."""
        until = self._clock() + GIVES_UP_AFTER_S
        while True:
            answer = self._inner.handle_request(request)
            if answer.status_code != 503 or "Retry-After" not in answer.headers or self._clock() >= until:
                return answer
            answer.close()
            self._pause(float(answer.headers["Retry-After"]))

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
