"""The asynchronous client. The synchronous one is made of it by `python -m vestibule.client.unasync`."""
