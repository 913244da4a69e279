"""The synchronous client. The synchronous one is made of it by `python -m vestibule.client.unasync`."""

# Made of asynchronous/__init__.py by `python -m vestibule.client.unasync`; change that one.
