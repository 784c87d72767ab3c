"""The frame is found whole or not at all."""

import base64
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.runner import Answer, FrameError, StoredAnswer, parse_frame, parse_stored
from worker.runner.script import file_prefix

NONCE = "n0nce"
NOISE = st.text(st.characters(codec="ascii", exclude_characters="<"), max_size=30)
STREAMS = st.binary(max_size=200)


def content(data: bytes) -> dict[str, object]:
    return {"size": len(data), "truncated": False, "inline": base64.b64encode(data).decode()}


def payload(stdout: bytes, stderr: bytes = b"") -> str:
    run = {
        "ended_by": "exit",
        "exit_code": 0,
        "signal": None,
        "stdout": content(stdout),
        "stderr": content(stderr),
    }
    return json.dumps({"node": "v20.18.0", "runs": [run]})


def framed(text: str, nonce: str = NONCE) -> str:
    return f"\n<jsw:{nonce}:{len(text)}:{zlib.crc32(text.encode())}>{text}</jsw:{nonce}>\n"


def reason(stdout: str) -> str:
    with pytest.raises(FrameError) as caught:
        parse_frame(stdout, NONCE)
    return caught.value.reason


@settings(deadline=None)
@given(STREAMS, STREAMS, NOISE, NOISE)
def test_an_answer_comes_back_as_it_was_whatever_is_printed_around_it(
    stdout: bytes, stderr: bytes, before: str, after: str
) -> None:
    answer = parse_frame(before + framed(payload(stdout, stderr)) + after, NONCE)
    assert isinstance(answer, Answer)
    assert (answer.runs[0].stdout.inline, answer.runs[0].stderr.inline) == (stdout, stderr)


@settings(deadline=None)
@given(STREAMS, st.data())
def test_a_frame_that_is_cut_anywhere_is_refused(stdout: bytes, data: st.DataObject) -> None:
    whole = framed(payload(stdout))
    at = data.draw(st.integers(0, len(whole) - 2))
    assert reason(whole[:at]) in {"missing", "wrong_nonce", "cut"}


@settings(deadline=None)
@given(STREAMS, st.data())
def test_a_frame_with_one_character_changed_is_refused(stdout: bytes, data: st.DataObject) -> None:
    whole = framed(payload(stdout))
    at = data.draw(st.integers(1, len(whole) - 2))
    other = data.draw(st.characters(codec="latin-1").filter(lambda c: c != whole[at]))
    assert reason(whole[:at] + other + whole[at + 1 :]) in {"missing", "wrong_nonce", "cut", "damaged"}


@settings(deadline=None)
@given(st.text(max_size=200))
def test_text_without_a_frame_holds_no_answer(text: str) -> None:
    assert reason(text) == ("wrong_nonce" if "<jsw:" in text else "missing")


def test_a_frame_of_another_execution_is_no_answer() -> None:
    assert reason(framed(payload(b""), "other")) == "wrong_nonce"


def test_a_forged_frame_before_the_true_one_is_passed_over() -> None:
    answer = parse_frame(framed(payload(b"forged"), "0") + framed(payload(b"true")), NONCE)
    assert isinstance(answer, Answer)
    assert answer.runs[0].stdout.inline == b"true"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "not json",
        payload(b"").replace("exit_code", "exit-code"),
        payload(b"four").replace('"size": 4', '"size": 5'),
        payload(b"four").replace('"inline"', '"name"'),
        payload(b"").replace('"inline": ""', '"name": "../other"', 1),
        json.dumps({"name": "other-answer", "size": 1, "crc": 2}),
    ],
)
def test_a_whole_frame_with_a_senseless_answer_is_damaged(text: str) -> None:
    assert reason(framed(text)) == "damaged"


def test_a_runner_that_failed_says_why() -> None:
    with pytest.raises(FrameError, match="runner_failed: ENOSPC"):
        parse_frame(framed(json.dumps({"error": "ENOSPC"})), NONCE)


def test_a_stored_answer_is_read_when_it_is_what_the_frame_said() -> None:
    data = payload(b"x").encode()
    frame = framed(
        json.dumps({"name": file_prefix(NONCE) + "-answer", "size": len(data), "crc": zlib.crc32(data)})
    )
    stored = parse_frame(frame, NONCE)
    assert isinstance(stored, StoredAnswer)
    assert parse_stored(stored, data, NONCE).runs[0].stdout.inline == b"x"
    for wrong, why in [(data[:-1], "cut"), (b" " * len(data), "damaged")]:
        with pytest.raises(FrameError, match=why):
            parse_stored(stored, wrong, NONCE)
