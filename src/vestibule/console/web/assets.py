"""The files that the pages load: scripts and style sheets of this package, under addresses that change with them."""

import hashlib
from importlib.resources import files
from pathlib import PurePath

from fastapi import APIRouter
from starlette.responses import Response

from vestibule.contracts.errors import NotFound

MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
# The address has the digest of the content, so a copy is never out of date.
_KEPT = "public, max-age=31536000, immutable"
_DIGEST_CHARS = 12


class Assets:
    """Every asset in memory, by name; `address` is what a page names."""

    def __init__(self) -> None:
        """Read the files of the package."""
        folder = files("vestibule.console") / "assets"
        self._content = {
            file.name: file.read_bytes() for file in folder.iterdir() if PurePath(file.name).suffix in MEDIA_TYPES
        }
        self._addresses = {
            name: f"/assets/{hashlib.sha256(content).hexdigest()[:_DIGEST_CHARS]}/{name}"
            for name, content in self._content.items()
        }

    def address(self, name: str) -> str:
        """Return the address of an asset. Raises: KeyError, if there is none."""
        return self._addresses[name]

    def router(self) -> APIRouter:
        """Return the route that serves them, to anybody: they have nothing of the system."""
        router = APIRouter()

        @router.get("/assets/{digest}/{name}", include_in_schema=False)
        async def get_asset(digest: str, name: str) -> Response:
            content = self._content.get(name)
            if content is None or self._addresses[name] != f"/assets/{digest}/{name}":
                raise NotFound("No file of the console has that address.")
            media_type = MEDIA_TYPES[PurePath(name).suffix]
            return Response(content, media_type=media_type, headers={"Cache-Control": _KEPT})

        return router
