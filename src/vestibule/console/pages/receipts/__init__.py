"""Receipts: pasted, verified, and put into words."""

from vestibule.console.pages.receipts.verification import router

__all__ = ["router"]
