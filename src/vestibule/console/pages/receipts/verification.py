"""The pages that verify receipts."""

from fastapi import APIRouter
from starlette.responses import Response

from vestibule.console.pages.receipts.check import check
from vestibule.console.web.downloads import download
from vestibule.console.web.viewer import ConsoleRoute, ViewerPart

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get("/receipts")
async def show_form(viewer: ViewerPart) -> Response:
    """Show the form for a receipt, and that for the id of a decision."""
    return viewer.page("receipts/form.html.jinja", checked=None, receipt="")


@router.post("/receipts")
async def verify(viewer: ViewerPart) -> Response:
    """Verify the receipt of the form with the keys of this installation, and say what it says."""
    # Mails and terminals break long lines.
    receipt = "".join(viewer.field("receipt").split())
    keys = await viewer.client.receipts.keys()
    return viewer.page("receipts/form.html.jinja", checked=check(receipt, keys.raw), receipt=receipt)


@router.get("/receipts/{decision_id}")
async def show_receipt(decision_id: str, viewer: ViewerPart) -> Response:
    """Show the receipt of a decision, verified, in words."""
    signed = await viewer.client.receipts.get(decision_id)
    keys = await viewer.client.receipts.keys()
    checked = check(signed.receipt, keys.raw)
    return viewer.page("receipts/receipt.html.jinja", decision_id=decision_id, checked=checked, receipt=signed.receipt)


@router.get("/receipts/{decision_id}/download")
async def download_receipt(decision_id: str, viewer: ViewerPart) -> Response:
    """Answer with the receipt of a decision as a file."""
    signed = await viewer.client.receipts.get(decision_id)
    return download(f"receipt-{signed.decision_id}.jws", signed.receipt, "application/jose")
