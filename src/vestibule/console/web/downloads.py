"""Files that a page offers."""

from starlette.responses import Response


def download(name: str, content: str, media_type: str) -> Response:
    """Return a file that the browser saves. Its name is of the console's own making, and has no special characters."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=media_type, headers=headers)
