"""Server-sent events: the parser of a stream.

Source: the HTML standard, section 9.2, "Server-sent events".
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from vestibule.client.errors import UnexpectedAnswer

# More than the largest event of a service: a value of 1 MiB, each character escaped.
MAX_EVENT_CHARS = 16 * 1024 * 1024


def is_event_stream(headers: Mapping[str, str]) -> bool:
    """Say whether an answer is a stream of events, and not the page of another program."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "text/event-stream"


class ServerSentEvent:
    """An event: its kind, the id that the stream resumes after, and its data, which is in no text of it."""

    __slots__ = ("data", "kind", "last_id")

    def __init__(self, kind: str, last_id: str | None, data: str) -> None:
        """Take what the stream says."""
        self.kind = kind
        self.last_id = last_id
        self.data = data

    def json(self) -> Any:
        """Return the data, which is JSON. Raises: UnexpectedAnswer, if it is something else."""
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError):
            # Not raised here: that error has the whole content.
            pass
        raise UnexpectedAnswer(f"An event `{self.kind}` is not JSON.")


class EventParser:
    """Turns the lines of a stream into events."""

    def __init__(self, last_id: str | None = None) -> None:
        """Take the id that the stream resumes after."""
        self.last_id = last_id
        self._rest = ""
        self._kind = ""
        self._data: list[str] = []

    def feed(self, text: str) -> Iterator[ServerSentEvent]:
        """Yield the events that are complete with more text. Raises: UnexpectedAnswer, if one never ends."""
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > MAX_EVENT_CHARS:
            raise UnexpectedAnswer("An event of the stream is too long.")
        for line in lines:
            event = self._line(line.removesuffix("\r"))
            if event is not None:
                yield event

    def _line(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self.last_id = value
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        kind, data = self._kind, "\n".join(self._data)
        is_event = bool(self._data)
        self._kind, self._data = "", []
        return ServerSentEvent(kind or "message", self.last_id, data) if is_event else None
