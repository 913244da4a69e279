"""Forwards data to an allowed address over HTTP."""

from typing import Literal

from pydantic import Field

from vestibule.processing.ports import ForwardRefused, Job, ProcessingInterrupted, ProcessorContext, ResultNotText
from vestibule.processing.processor import ConfigurableProcessor, Example, Options, Place, refuse_option

# Source: RFC 9110 (408), RFC 8470 (425), RFC 6585 (429).
MAY_PASS_STATUSES = frozenset({408, 425, 429})


class ForwardOptions(Options):
    """The address, the content type, and the kind of result."""

    url: str = Field(min_length=1, max_length=2000, description="Address on a host of `VESTIBULE_FORWARD_HOSTS`")
    content_type: str = Field(
        default="text/plain; charset=utf-8",
        max_length=100,
        pattern=r"^[a-z]+/[A-Za-z0-9.+-]+(; ?charset=[A-Za-z0-9-]+)?$",
        description="Media type of the request",
    )
    result: Literal["answer", "status"] = Field(
        default="answer", description="The result: the text of the response, or its status"
    )


class HttpForward:
    """Posts the data. Redirects are not followed, and only the address that was checked is connected to.

    The `Idempotency-Key` is the id of the work, the same at each attempt, so that the receiver can do it once. Status
    5xx, 408, 425 and 429, and timeouts, are retried, not before `Retry-After`; any other that is not 2xx is final.
    """

    name = "http_forward"
    description = "Posts the data to an allowed address; the result is the response, or its status."
    options = ForwardOptions
    examples = (
        Example("hello", "hello", {"url": "https://receiver.example/echo"}),
        Example("hello", "200", {"url": "https://receiver.example/echo", "result": "status"}),
        Example("", "", {"url": "https://receiver.example/echo"}),
    )

    def refusal_of(self, options: ForwardOptions, context: ProcessorContext, place: Place) -> None:
        """Check the address.

        Raises:
            InvalidInput: it is not allowed.
        """
        reason = context.egress.refusal_of(options.url)
        if reason is not None:
            raise refuse_option((*place, "url"), "forward_forbidden", reason)

    def process(self, data: str, options: ForwardOptions, job: Job) -> str:
        """Return the response of the receiver to `data`.

        Raises:
            ForwardForbidden: the address is not allowed.
            ForwardRefused: the receiver rejected the data.
            AnswerTooLarge, ResultNotText: the response cannot be a result.
            ProcessingInterrupted: a retry may succeed.
        """
        headers = {"Content-Type": options.content_type, "Idempotency-Key": job.id}
        answer = job.context.egress.post(options.url, data.encode(), headers)
        cause = f"http_{answer.status}"
        if answer.status >= 500 or answer.status in MAY_PASS_STATUSES:
            text = f"the answer was {answer.status}"
            raise ProcessingInterrupted(text, cause=cause, retry_after_s=answer.retry_after_s)
        if not 200 <= answer.status < 300:
            raise ForwardRefused(f"the answer was {answer.status}", cause=cause)
        if options.result == "status":
            return str(answer.status)
        try:
            return answer.body.decode()
        except UnicodeDecodeError:
            raise ResultNotText("the response is not valid UTF-8") from None


PROCESSOR: ConfigurableProcessor = HttpForward()
