"""The store: keys, versions and their metadata; values are sealed until they are revealed."""

from vestibule.console.pages.store.entries import router

__all__ = ["router"]
