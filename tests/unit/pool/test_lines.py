import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from worker.local.pool.lines import Line, LineBuffer, parse

TEXT = st.text(st.characters(), max_size=200)  # lone surrogates among them


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b""))), st.integers(1, 17))
def test_lines_come_out_as_they_went_in_however_the_stream_is_split(lines: list[bytes], size: int) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    buffer = LineBuffer(limit=1000)
    found = [
        line for start in range(0, len(stream), size) for line in buffer.feed(stream[start : start + size])
    ]
    assert found == [Line(line) for line in lines]


@given(st.integers(0, 500), st.integers(1, 100), st.integers(1, 17))
def test_of_a_long_line_the_head_and_the_tail_are_kept(length: int, limit: int, size: int) -> None:
    line = bytes(n % 251 + 1 if n % 251 + 1 != 10 else 9 for n in range(length))
    buffer = LineBuffer(limit)
    stream = line + b"\nnext\n"
    found = [
        one for start in range(0, len(stream), size) for one in buffer.feed(stream[start : start + size])
    ]
    assert found[0].head == line[:limit]
    assert (found[0].tail is None) is (length <= limit)
    if found[0].tail is not None:
        assert line.endswith(found[0].tail)


@given(TEXT, st.integers(1, 300), st.booleans())
@example(text="\U0001f600" * 40, limit=60, escape=True)
def test_the_beginning_of_a_stream_survives_a_cut_anywhere(text: str, limit: int, escape: bool) -> None:  # noqa: FBT001 - a property's input
    message = json.dumps({"id": 3, "stdout": text}, ensure_ascii=escape, separators=(",", ":"))
    [line] = LineBuffer(limit).feed(message.encode("utf-8", "surrogatepass") + b"\n")
    found = parse(line).get("stdout", "")
    assert _utf16(text).startswith(_utf16(found))


def _utf16(text: str) -> bytes:
    """A cut between the halves of a character leaves half of it, as JavaScript counts."""
    return text.encode("utf-16-le", "surrogatepass")


def test_a_cut_result_still_ends_the_execution() -> None:
    message = {"mime": {"text/plain": "x" * 1000}, "id": 1, "end": True}
    sent = json.dumps(message, separators=(",", ":")).encode()
    [line] = LineBuffer(len(b'{"mime":{"text/plain":"') + 60).feed(sent + b"\n")
    assert parse(line) == {"mime": {"text/plain": "x" * 60}, "end": True}


def test_a_cut_error_still_says_what_it_was() -> None:
    error = {"ename": "E", "evalue": "why", "traceback": ["y" * 1000]}
    message = json.dumps({"error": error, "id": 1, "end": True}, separators=(",", ":")).encode()
    [line] = LineBuffer(100).feed(message + b"\n")
    found = parse(line)
    assert (found["error"]["evalue"], found["end"]) == ("why", True)


@given(st.binary(max_size=100), st.none() | st.binary(max_size=64))
@example(b"[" * 100_000, None)
@example(b"[]", None)
def test_nothing_that_code_writes_to_the_channel_raises(head: bytes, tail: bytes | None) -> None:
    found: Any = parse(Line(head, tail))
    assert isinstance(found, dict)
