"""The caller of the tests asks again where the API says so, and nowhere else."""

import httpx

from retrying import GIVES_UP_AFTER_S, RetryingTransport

AWAY = httpx.Response(503, headers={"Retry-After": "2"})
NO_SUCH_PART = httpx.Response(503)


class _Service:
    """Gives its answers one after the other, and the last again and again; pausing moves its clock on."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.now_s = 0.0

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.read())
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def pause(self, seconds: float) -> None:
        self.now_s += seconds

    def ask(self) -> int:
        inner = httpx.MockTransport(self.answer)
        with httpx.Client(transport=RetryingTransport(inner, lambda: self.now_s, self.pause)) as client:
            return client.post("http://service/add", json={"key": "k"}).status_code


def test_a_service_that_is_away_is_asked_again_when_it_says() -> None:
    """With the same body, after `Retry-After`."""
    service = _Service(AWAY, AWAY, httpx.Response(200))
    assert (200, 4.0) == (service.ask(), service.now_s)
    assert [b'{"key":"k"}'] * 3 == service.bodies


def test_other_answers_are_final() -> None:
    """A 503 that names no time, and errors."""
    for final in (NO_SUCH_PART, httpx.Response(500), httpx.Response(429, headers={"Retry-After": "1"})):
        service = _Service(final, httpx.Response(200))
        assert (final.status_code, 1) == (service.ask(), len(service.bodies))


def test_a_service_that_stays_away_is_given_up() -> None:
    """The test sees the 503."""
    service = _Service(AWAY)
    assert (503, GIVES_UP_AFTER_S) == (service.ask(), service.now_s)
