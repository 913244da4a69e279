"""Answers of the services: their JSON as results, and refusals as errors."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from vestibule.client.decoding import decode
from vestibule.client.errors import UnexpectedAnswer, error_of
from vestibule.client.retry import retry_after_s
from vestibule.contracts.errors import VestibuleError

T = TypeVar("T")


class Answer:
    """An answer: its status, its headers with names in lower case, and its content, which are in no text of it."""

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        """Take what the service answered."""
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def is_success(self) -> bool:
        """Whether the service did what it was asked for, or has nothing newer."""
        return 200 <= self.status < 300 or self.status == 304

    @property
    def request_id(self) -> str | None:
        """The id of the request, as the service logs it."""
        return self.headers.get("x-request-id")

    @property
    def retry_after_s(self) -> float | None:
        """The seconds after which the service may be asked again."""
        return retry_after_s(self.headers.get("retry-after"))

    @property
    def text(self) -> str:
        """The content as text."""
        return self.content.decode("utf-8", "replace")

    def result(self, kind: type[T]) -> T:
        """Return the JSON of a success as a result.

        Raises:
            UnexpectedAnswer: it is something else.
        """
        return decode(kind, self.json())

    def json(self) -> Any:
        """Return the JSON of a success. Raises: UnexpectedAnswer, if it is something else."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            # Not raised here: that error has the whole content.
            pass
        raise self._unexpected("is not JSON")

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document; empty if there is none."""
        if "json" not in self.headers.get("content-type", ""):
            return {}
        try:
            found = json.loads(self.content)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def slug(self) -> str:
        """The name of the problem type; empty if there is none."""
        return str(self.problem.get("type", "")).rpartition("/")[2]

    def error(self) -> VestibuleError:
        """Return the error of a refusal."""
        problem = self.problem
        if not problem and not 500 <= self.status < 600:
            return self._unexpected("has no problem document")
        return error_of(self.status, problem, self.request_id, self.retry_after_s)

    def _unexpected(self, what: str) -> UnexpectedAnswer:
        error = UnexpectedAnswer(f"The answer {self.status} {what}; is this the address of a Vestibule?")
        error.status, error.request_id = self.status, self.request_id
        return error
