"""Lists of blobs, which come in pages and are to come to an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from worker.faults import InfrastructureFault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.core.async_paging import AsyncItemPaged

T = TypeVar("T")


async def each(listing: AsyncItemPaged[T]) -> AsyncIterator[T]:
    """What a list has, page by page.

    Raises:
        InfrastructureFault: it goes on where it has been before, and so for ever.
    """
    marks: set[str] = set()
    pages = listing.by_page()
    async for page in pages:
        async for item in page:
            yield item
        mark = getattr(pages, "continuation_token", None)  # the SDK's iterator has it, its type has not
        if mark in marks:
            raise InfrastructureFault("Blob storage's list goes in a circle")
        if mark:
            marks.add(mark)
