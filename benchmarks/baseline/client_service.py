"""The front door of the tutorial version: `uvicorn benchmarks.baseline.client_service:app`."""

import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from benchmarks.baseline.tasks import process_data_task
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

logging.basicConfig(
    filename=os.environ["BASELINE_LOG"], level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
)
log = logging.getLogger("client_service")
EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
PHONE = re.compile(r"\+?\d[\d\s().-]{7,}\d")
TOKEN = os.environ["BASELINE_TOKEN"]
security = HTTPBearer()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Share one HTTP client between all requests."""
    async with httpx.AsyncClient(base_url=os.environ["BASELINE_DATABASE_URL"]) as client:
        app.state.database = client
        yield


app = FastAPI(lifespan=lifespan)


class Item(BaseModel):
    """A pair."""

    key: str
    value: str


class Work(BaseModel):
    """A key whose value is to be processed."""

    key: str


async def check_token(credentials: HTTPAuthorizationCredentials = Depends(security)) -> None:  # noqa: B008
    """Refuse strangers."""
    if credentials.credentials != TOKEN:
        raise HTTPException(status_code=401, detail="Invalid token")


@app.post("/add", dependencies=[Depends(check_token)])
async def add(item: Item) -> dict[str, str]:
    """Check a pair and store it."""
    if EMAIL.search(item.value) or PHONE.search(item.value):
        log.warning("Personal data in the value of key %s", item.key)
        raise HTTPException(status_code=422, detail="Personal data detected")
    response = await app.state.database.post("/write", json=item.model_dump())
    response.raise_for_status()
    log.info("Stored key %s", item.key)
    return {"status": "written", "key": item.key}


@app.post("/run", dependencies=[Depends(check_token)], status_code=202)
async def run(work: Work) -> dict[str, str]:
    """Have the value under a key processed."""
    response = await app.state.database.get("/read", params={"key": work.key})
    if response.status_code == 404:
        raise HTTPException(status_code=404, detail="Key not found")
    task = process_data_task.delay(response.json()["value"])
    log.info("Queued task %s for key %s", task.id, work.key)
    return {"task_id": task.id}


@app.get("/tasks/{task_id}", dependencies=[Depends(check_token)])
async def task(task_id: str) -> dict[str, str | None]:
    """Say how far a task is."""
    result = process_data_task.AsyncResult(task_id)
    return {"state": result.state, "result": result.result if result.successful() else None}
