"""The errors of processors: temporary ones are retried, permanent ones are not.

    CannotProcess            the processor cannot do this data; its class says why, and callers are told
    ├── DataTooLarge
    ├── NotJson
    ├── PointerLeadsNowhere
    ├── ForwardForbidden     data may not be sent there
    ├── ForwardRefused       the receiver does not take it
    ├── AnswerTooLarge
    └── ResultNotText
    InvalidProcessor         it is declared wrongly; raised while the registry is built, never while one works

Their texts are for the log of a developer; callers get the words of `contracts.tasks.ERROR_DETAILS`.
"""


class ProcessingInterrupted(Exception):
    """A temporary error: the work can be retried later."""


class CannotProcess(Exception):
    """A permanent error: the processor cannot process this data."""

    @property
    def kind(self) -> str:
        """What callers are told, a key of `ERROR_DETAILS`; a kind that is not among them tells them nothing."""
        return type(self).__name__


class DataTooLarge(CannotProcess):
    """The data is longer than the processor's limit."""


class NotJson(CannotProcess):
    """The data is not valid JSON."""


class PointerLeadsNowhere(CannotProcess):
    """The JSON pointer does not match the document."""


class ForwardForbidden(CannotProcess):
    """The address is not allowed."""


class ForwardRefused(CannotProcess):
    """The receiver refused it."""


class AnswerTooLarge(CannotProcess):
    """The response of the receiver is too large."""


class ResultNotText(CannotProcess):
    """The result is not text that can be encoded as UTF-8."""


class InvalidProcessor(ValueError):
    """A processor is declared incorrectly."""


# Of these a task is tried again, some time later. Any other error says that the processor cannot do this data at all.
MAY_PASS = (ProcessingInterrupted, ConnectionError, TimeoutError)
