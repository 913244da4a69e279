"""Connections of those who read the alert store, and the writes of people."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vestibule.alerts.store.database import open_database, transaction
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.identity import Visibility
from vestibule.runtime.files import FilePlace


class AlertReader:
    """Queries the database over one connection; a missing database is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._place = FilePlace()

    def query_visible(
        self, statement: str, visibility: Visibility, parameters: tuple[Any, ...]
    ) -> list[tuple[Any, ...]]:
        """Return the rows that are visible: `{visible}` in the statement stands for that condition."""
        tenants = visibility.tenants
        visible = "1" if tenants is None else f"tenant IN ({', '.join('?' * len(tenants))})"
        return self.query(statement.format(visible=visible), (*sorted(tenants or ()), *parameters))

    def query(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows, or raise `Unavailable`."""
        with self._lock:
            try:
                if self._connection is not None and not self._place.is_kept():
                    self._close()
                if self._connection is None:
                    if not self._path.exists():
                        return []
                    self._connection = open_database(self._path)
                    self._place = FilePlace(self._path)
                return self._connection.execute(statement, parameters).fetchall()
            except (OSError, sqlite3.Error) as error:
                raise Unavailable("alerts", "The alert store cannot be read.") from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection of its own, in a transaction that is on disk afterwards.

        Raises:
            Unavailable: the store cannot be written.
        """
        try:
            connection = open_database(self._path)
            try:
                with transaction(connection):
                    yield connection
            finally:
                connection.close()
        except (OSError, sqlite3.Error) as error:
            raise Unavailable("alerts", "The alert store cannot be written.") from error

    def close(self) -> None:
        """Close the connection; the next query opens another."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
