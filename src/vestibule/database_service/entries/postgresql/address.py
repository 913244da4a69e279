"""The address and options of a PostgreSQL server, parsed from the URL of the store."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

DEFAULT_POOL_SIZE = 10
DEFAULT_STATEMENTS = 100


@dataclass(frozen=True, slots=True)
class PostgresqlAddress:
    """An address; its `str()` has neither user name nor password."""

    dsn: str = field(repr=False)
    pool_size: int = DEFAULT_POOL_SIZE
    statement_cache_size: int = DEFAULT_STATEMENTS

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse `pool_size` and `statement_cache_size`; all other options are for the driver, as `sslmode` is.

        Raises:
            ValueError: one of them is not a valid number.
        """
        parts = urlsplit(url)
        options = parse_qsl(parts.query, keep_blank_values=True)
        own = {"pool_size": DEFAULT_POOL_SIZE, "statement_cache_size": DEFAULT_STATEMENTS}
        for name, least in (("pool_size", 1), ("statement_cache_size", 0)):
            for value in (value for option, value in options if option == name):
                own[name] = _number(name, value, least)
        rest = urlencode([(name, value) for name, value in options if name not in own])
        return cls(urlunsplit(parts._replace(query=rest)), **own)

    @property
    def prepares(self) -> bool:
        """Whether a connection keeps prepared statements from one transaction to the next."""
        return self.statement_cache_size > 0

    def __str__(self) -> str:
        parts = urlsplit(self.dsn)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _number(name: str, text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise ValueError(f"`{name}` in the URL of the store must be a number, at least {least}")
    return int(text)
