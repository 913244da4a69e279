"""A test double of the egress: a receiver that echoes what it is sent."""

from collections.abc import Mapping

from vestibule.processing.ports import EgressReply

ECHO = "https://receiver.example/echo"


class EchoEgress:
    """Allows one address, and records what was sent there."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Mapping[str, str]]] = []

    def refusal_of(self, url: str) -> str | None:
        """Let the one address pass."""
        return None if url == ECHO else "the one address that there is"

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EgressReply:
        """Answer with what was sent."""
        assert url == ECHO  # noqa: S101 - anything else was refused before
        self.sent.append((body, headers))
        return EgressReply(200, body)
