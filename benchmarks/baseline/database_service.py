"""The store of the tutorial version: `uvicorn benchmarks.baseline.database_service:app`."""

import os
import sqlite3
from collections.abc import Iterator

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel

PATH = os.environ["BASELINE_DATABASE"]
app = FastAPI()

with sqlite3.connect(PATH) as first:
    first.execute("PRAGMA journal_mode = WAL")
    first.execute("CREATE TABLE IF NOT EXISTS items (key TEXT PRIMARY KEY, value TEXT NOT NULL)")


class Item(BaseModel):
    """A pair."""

    key: str
    value: str


def connection() -> Iterator[sqlite3.Connection]:
    """Lend a connection to one request."""
    opened = sqlite3.connect(PATH, timeout=30, check_same_thread=False)
    try:
        yield opened
    finally:
        opened.close()


@app.post("/write")
def write(item: Item, database: sqlite3.Connection = Depends(connection)) -> dict[str, str]:  # noqa: B008
    """Keep a pair."""
    with database:
        database.execute("INSERT OR REPLACE INTO items (key, value) VALUES (?, ?)", (item.key, item.value))
    return {"status": "ok"}


@app.get("/read")
def read(key: str, database: sqlite3.Connection = Depends(connection)) -> dict[str, str]:  # noqa: B008
    """Return a pair."""
    row = database.execute("SELECT value FROM items WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise HTTPException(status_code=404, detail="Key not found")
    return {"key": key, "value": row[0]}
