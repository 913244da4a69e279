"""Writes `docs/problems.md` from the table of problem types; a test fails where the two differ.

Run `python -m vestibule.service_kit.openapi.problem_reference > docs/problems.md` after a change of the table.
"""

from itertools import groupby

from vestibule.service_kit.problem_types import PATH, PROBLEM_TYPES

_HEAD = f"""# Problem types

An error response is a problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with the media type
`application/problem+json`. Its members are `type`, `title`, `status`, `detail`, `instance`, and what the type adds.

- `type` is `{PATH}/NAME`, a URI reference that resolves against the base URL of the service. It is stable, so programs
  compare it.
- `GET {PATH}/{{name}}` explains a type, and `GET {PATH}` lists all of them, on every service and without a token: an
  HTML page, or JSON with `Accept: application/json`.
- `detail` says what happened in this request. It repeats nothing that the caller sent.
- `instance` is `urn:request:ID`, where ID is the `X-Request-ID` of the response and the request id in the log.

This page is generated from `service_kit/problem_types.py`.
"""


def problem_reference() -> str:
    """Return the text of `docs/problems.md`."""
    parts = [_HEAD]
    for status, types in groupby(PROBLEM_TYPES.values(), key=lambda one: one.status):
        parts.append(f"## Status {status}\n")
        for one in types:
            parts.append(f"### {one.name}\n\n{one.title}.\n\n- Cause: {one.cause}\n- Remedy: {one.remedy}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(problem_reference(), end="")
