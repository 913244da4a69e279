"""Forwards data to an allowed address over HTTP."""

from typing import Literal

from pydantic import Field

from vestibule.processing.ports import ForwardRefused, Job, ProcessingInterrupted, ProcessorContext, ResultNotText
from vestibule.processing.processor import ConfigurableProcessor, Example, Options, Place, refuse_option

# Source: RFC 9110 (408), RFC 8470 (425), RFC 6585 (429).
MAY_PASS_STATUSES = frozenset({408, 425, 429})


class ForwardOptions(Options):
    """The address, the content type, and the kind of result."""

    url: str = Field(
        min_length=1, max_length=2000, description="An address of a host that `VESTIBULE_FORWARD_HOSTS` names"
    )
    content_type: str = Field(
        default="text/plain; charset=utf-8",
        max_length=100,
        pattern=r"^[a-z]+/[A-Za-z0-9.+-]+(; ?charset=[A-Za-z0-9-]+)?$",
        description="The media type that it is sent as",
    )
    result: Literal["answer", "status"] = Field(
        default="answer", description="What the result is: the text of the answer, or its status"
    )


class HttpForward:
    """Posts the data. Nothing follows redirects, and the address that was checked is the one that is called.

    The `Idempotency-Key` is the id of the work, the same at each attempt, so that the receiver can do it once. Answers
    of 5xx, 408, 425 and 429, and silence, may pass; any other that is not 2xx is final.
    """

    name = "http_forward"
    description = "Posts the data to an allowed address; the result is the answer, or its status."
    options = ForwardOptions
    examples = (
        Example("hello", "hello", {"url": "https://receiver.example/echo"}),
        Example("hello", "200", {"url": "https://receiver.example/echo", "result": "status"}),
        Example("", "", {"url": "https://receiver.example/echo"}),
    )

    def refusal_of(self, options: ForwardOptions, context: ProcessorContext, place: Place) -> None:
        """Look whether data may be sent there at all.

        Raises:
            InvalidInput: it may not.
        """
        reason = context.egress.refusal_of(options.url)
        if reason is not None:
            raise refuse_option((*place, "url"), "forward_forbidden", reason)

    def process(self, data: str, options: ForwardOptions, job: Job) -> str:
        """Return what the receiver answers to `data`.

        Raises:
            ForwardForbidden: it may not be sent there.
            ForwardRefused: the receiver does not take it.
            AnswerTooLarge, ResultNotText: its answer cannot be a result.
            ProcessingInterrupted: it could not take it now.
        """
        headers = {"Content-Type": options.content_type, "Idempotency-Key": job.id}
        answer = job.context.egress.post(options.url, data.encode(), headers)
        if answer.status >= 500 or answer.status in MAY_PASS_STATUSES:
            raise ProcessingInterrupted(f"the answer was {answer.status}")
        if not 200 <= answer.status < 300:
            raise ForwardRefused(f"the answer was {answer.status}")
        if options.result == "status":
            return str(answer.status)
        try:
            return answer.body.decode()
        except UnicodeDecodeError:
            raise ResultNotText("the answer is no UTF-8") from None


PROCESSOR: ConfigurableProcessor = HttpForward()
