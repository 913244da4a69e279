"""The pages of the store, and what a person does with an entry."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from vestibule.console.pages.store.listings import KeyLevel, KnownVersion, version_of, versions_of
from vestibule.console.views.formatting import with_query
from vestibule.console.views.numbers import whole_number
from vestibule.console.web.viewer import ConsoleRoute, FieldMissing, Viewer, ViewerPart
from vestibule.contracts.errors import KeyNotFound

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

PAGE_SIZE = 500
# Requests for one page of folders, and rows on it.
MOST_REQUESTS = 20
MOST_ROWS = 500
LEAST_TTL_S = 1.0

Text = Annotated[str, Query()]


@router.get("/store")
async def show_keys(viewer: ViewerPart, prefix: Text = "", cursor: Text = "") -> Response:
    """Show what is under a prefix, one level at a time: keys, and folders for those that go on after a slash."""
    level = await viewer.part(_level(viewer, prefix, cursor))
    return viewer.page("store/keys.html.jinja", level=level, prefix=prefix, cursor=cursor)


@router.get("/store/entry")
async def show_entry(viewer: ViewerPart, key: Text = "") -> Response:
    """Show an entry: its versions with what is known of each, and never a value."""
    if not key:
        return viewer.back("/store")
    versions = await viewer.part(_known_versions(viewer, key))
    if isinstance(versions.error, KeyNotFound):
        raise versions.error
    return viewer.page("store/entry.html.jinja", key=key, history=versions, versions=versions.value or [])


@router.post("/store/entry/reveal")
async def reveal_value(viewer: ViewerPart) -> Response:
    """Answer with a value, after the alert that says who wanted it and why."""
    key, version = viewer.field("key"), viewer.form.get("version", "")
    revealed = await viewer.client.detection.reveal_entry(
        key, version=whole_number(version, "version"), reason=viewer.field("reason")
    )
    template = "store/revealed_part.html.jinja" if viewer.is_partial else "store/revealed.html.jinja"
    return viewer.page(template, key=key, revealed=revealed)


@router.post("/store/entry/restore")
async def restore_version(viewer: ViewerPart) -> Response:
    """Write the value of an earlier version as a new one, which the policy decides about as about any other."""
    key, version = viewer.field("key"), _number(viewer, "version")
    revisions = (await viewer.client.entries.history(key)).revisions
    wanted = next((one for one in revisions if one.version == version and one.value is not None), None)
    if wanted is None or wanted.value is None:
        raise KeyNotFound("That version of the entry is not kept any more.")
    expires_at = revisions[0].expires_at
    left = None if expires_at is None else max(LEAST_TTL_S, (expires_at - datetime.now(UTC)).total_seconds())
    added = await viewer.client.entries.add(key, wanted.value, ttl_s=left, if_version=_number(viewer, "current"))
    said = f"Restored: the value of version {version} is now version {added.version}."
    if added.findings:
        decided = sorted({f"{finding.entity} {finding.action}" for finding in added.findings})
        said += f" The policy decided about it: {', '.join(decided)}."
    return viewer.back(with_query("/store/entry", key=key), said)


@router.post("/store/entry/delete")
async def delete_entry(viewer: ViewerPart) -> Response:
    """Delete an entry with all its versions, if nobody has changed it since."""
    key = viewer.field("key")
    answer = await viewer.client.entries.delete(key, if_version=_number(viewer, "current"))
    said = "The entry was deleted." if answer.deleted else "The entry was gone already."
    return viewer.back(with_query("/store", prefix=key[: key.rfind("/") + 1]), said)


async def _level(viewer: Viewer, prefix: str, cursor: str) -> KeyLevel:
    """Return one level of keys; of a folder that goes on after a page, the other keys are left out."""
    level = KeyLevel(prefix, cursor=cursor or None)
    for _ in range(MOST_REQUESTS):
        page = await viewer.client.entries.keys(prefix, page_size=PAGE_SIZE, cursor=level.cursor).page()
        level.add(page.keys, page.cursor)
        if level.cursor is None or level.size >= MOST_ROWS:
            break
    return level


async def _known_versions(viewer: Viewer, key: str) -> list[KnownVersion]:
    """Return the versions that are kept; of a store that keeps none the current one."""
    history = await viewer.client.entries.history(key)
    return versions_of(history.revisions) or [version_of(await viewer.client.entries.read(key))]


def _number(viewer: Viewer, name: str) -> int:
    given = whole_number(viewer.field(name), name)
    if given is None:
        raise FieldMissing(name)
    return given
