"""What processors raise: an error that may pass, one that says why it will not, or any other, which will not either.

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
    """The work could not be finished now and may be at another time: whoever is needed for it does not answer."""


class CannotProcess(Exception):
    """The processor cannot do this data, now or later."""

    @property
    def kind(self) -> str:
        """What callers are told, a key of `ERROR_DETAILS`; a kind that is not among them tells them nothing."""
        return type(self).__name__


class DataTooLarge(CannotProcess):
    """It is longer than the processor takes."""


class NotJson(CannotProcess):
    """It is no JSON, and should be."""


class PointerLeadsNowhere(CannotProcess):
    """Nothing stands where a pointer leads."""


class ForwardForbidden(CannotProcess):
    """It may not be sent there."""


class ForwardRefused(CannotProcess):
    """Its receiver does not take it."""


class AnswerTooLarge(CannotProcess):
    """The receiver answered more than is read."""


class ResultNotText(CannotProcess):
    """What became of it is no text that can be written as UTF-8."""


class InvalidProcessor(ValueError):
    """A processor is declared wrongly."""


# Of these a task is tried again, some time later. Any other error says that the processor cannot do this data at all.
MAY_PASS = (ProcessingInterrupted, ConnectionError, TimeoutError)
