"""The relay before the pool knows which job was executed when, however the bytes come."""

import pytest

from tests.chaos.executions import Journal

BODY = b'{"code": "console.log(\'mark-s0001-end\')"}'
REQUEST = b"POST /pool/executions?identifier=x HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
UPLOAD = REQUEST.replace(b"/executions?", b"/files?")


@pytest.mark.parametrize("size", [1, 7, len(REQUEST)])
def test_an_execution_begins_when_its_request_is_whole_and_ends_with_the_first_of_its_answer(
    size: int,
) -> None:
    journal = Journal()
    watch = journal.watch()
    for start in range(0, len(REQUEST), size):
        assert not watch.waiting
        watch.sent(REQUEST[start : start + size])
    assert watch.waiting
    watch.answered(b"HTTP/1.1 200 OK\r\n")
    watch.answered(b"Content-Length: 0\r\n\r\n")
    (execution,) = journal.all()
    assert (execution.job, execution.status, watch.waiting) == ("s0001", 200, False)
    assert execution.ended is not None
    assert execution.ended >= execution.began


def test_a_connection_carries_one_request_after_the_other_and_others_are_no_executions() -> None:
    journal = Journal()
    watch = journal.watch()
    for request, status in ((UPLOAD, b"200"), (REQUEST, b"429"), (REQUEST, b"200")):
        watch.sent(request)
        watch.answered(b"HTTP/1.1 %s whatever\r\n\r\n" % status)
    assert [execution.status for execution in journal.all()] == [429, 200]


def test_an_execution_whose_connection_breaks_has_ended_without_a_status() -> None:
    journal = Journal()
    watch = journal.watch()
    watch.sent(REQUEST)
    watch.ended()
    (execution,) = journal.all()
    assert (execution.status, execution.ended is None) == (None, False)
