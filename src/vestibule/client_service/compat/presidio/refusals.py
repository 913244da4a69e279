"""What is refused, with the status and the words that clients of Presidio know. No message repeats what was sent."""

from typing import Any

# What its framework says.
# Source: werkzeug, src/werkzeug/exceptions.py, and flask, src/flask/wrappers.py, which Presidio's servers run on.
BAD_REQUEST = "The browser (or proxy) sent a request that this server could not understand."
NOT_JSON = "Did not attempt to load JSON data because the request Content-Type was not 'application/json'."
INTERNAL = "Internal server error"
# What its analyzer and its anonymizer say.
NO_TEXT = "No text provided"
NO_LANGUAGE = "No language provided"
NO_RECOGNIZERS = "No matching recognizers were found to serve the request."
NOT_PARSED = "Failed to parse /analyze request for AnalyzerEngine.analyze()."
EMPTY_REQUEST = "Invalid request json"


class PresidioRefusal(Exception):
    """The request is refused with a status, and a message for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def not_parsed(reason: str) -> PresidioRefusal:
    """Return the refusal of a request to analyze of which a member is of the wrong kind."""
    return PresidioRefusal(400, f"{NOT_PARSED} {reason}")


def invalid_parameter(message: str) -> PresidioRefusal:
    """Return the refusal of a request to anonymize of which a member is not valid."""
    return PresidioRefusal(422, message)


def members_of(content: Any, refusal: PresidioRefusal) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        PresidioRefusal: it is none.
    """
    if not isinstance(content, dict):
        raise refusal
    return content
