"""Tasks: by state, processor, age and cause; one with its attempts; actions on one or many."""

from fastapi import APIRouter

from vestibule.console.pages.tasks import bulk, lists, single

router = APIRouter()
# That of a single task is last: its address would take those of the others for an id.
for _part in (lists.router, bulk.router, single.router):
    router.include_router(_part)

__all__ = ["router"]
