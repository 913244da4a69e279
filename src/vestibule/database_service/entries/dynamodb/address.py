"""The DynamoDB table of the entries, parsed from the URL of the store."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, urlsplit

OPTIONS = {"region", "endpoint"}


@dataclass(frozen=True, slots=True)
class DynamoDbAddress:
    """A table, and where it is; credentials come from where every AWS program finds them."""

    table: str
    region: str | None = None
    endpoint: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `dynamodb://TABLE?region=REGION`, with `endpoint=URL` for another DynamoDB than that of AWS.

        Raises:
            ValueError: it names no table, or something that is not understood.
        """
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if unknown := options.keys() - OPTIONS:
            raise ValueError(f"the URL of a DynamoDB store has no option `{min(unknown)}`")
        return cls(parts.netloc or parts.path.strip("/"), **options)
