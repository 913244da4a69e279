"""What all resources share: how they call the services, and pages as iterators."""

from collections.abc import AsyncIterator, Callable
from typing import Generic, Protocol, TypeVar

from vestibule.client.answers import Answer
from vestibule.client.asynchronous.transport import AsyncTransport
from vestibule.client.calls import Call
from vestibule.client.configuration import Configuration
from vestibule.client.decoding import decode

T = TypeVar("T")
Item = TypeVar("Item")


class Page(Protocol):
    """A page of a list."""

    @property
    def cursor(self) -> str | None:
        """Where the next page starts; None on the last."""


P = TypeVar("P", bound=Page)


class AsyncResource:
    """The operations of one kind of thing."""

    def __init__(self, transport: AsyncTransport, configuration: Configuration) -> None:
        """Take the connections and the options of the client."""
        self._transport = transport
        self._configuration = configuration

    async def _answer(self, call: Call) -> Answer:
        return await self._transport.answer(call, self._configuration)

    async def _result(self, call: Call, kind: type[T]) -> T:
        return (await self._answer(call)).result(kind)


class AsyncPages(Generic[P, Item]):
    """A list that is read a page at a time: iterate over it, or over its `pages()`, or take one `page()`."""

    def __init__(self, resource: AsyncResource, call: Call, kind: type[P], items_of: Callable[[P], list[Item]]) -> None:
        """Take the call of the first page, the type of the pages, and what is on one."""
        self._resource = resource
        self._call = call
        self._kind = kind
        self._items_of = items_of

    async def page(self) -> P:
        """Return the first page; its `cursor` is that of the next."""
        return await self._read(None)

    async def pages(self) -> AsyncIterator[P]:
        """Yield one page after the other. Some may be empty where a filter matches little."""
        page = await self._read(None)
        yield page
        while page.cursor is not None:
            page = await self._read(page.cursor)
            yield page

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Yield what is on the pages."""
        async for page in self.pages():
            for item in self._items_of(page):
                yield item

    async def _read(self, cursor: str | None) -> P:
        call = self._call if cursor is None else self._call.on_page(cursor)
        return decode(self._kind, (await self._resource._answer(call)).json())
