"""A bare FastAPI JSON answer: `uvicorn benchmarks.floor.fastapi_answer:app`."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    """A pair."""

    key: str
    value: str


@app.post("/add")
async def add(item: Item) -> dict[str, str]:
    """Answer."""
    return {"status": "written", "key": item.key}
