from collections.abc import AsyncIterator

import pytest_asyncio

from tests.contract.grading.grader import Grader, open_grader


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def graded() -> AsyncIterator[Grader]:
    """One pool for the tests of a module; a session for each job."""
    async with open_grader() as grader:
        yield grader
