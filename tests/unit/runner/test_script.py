"""The code that is sent."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.runner import Program, RunSpec, Uploaded, build_script

RUN = RunSpec(timeout_seconds=1.5, memory_mb=64, output_bytes=10)


def script(program: Program) -> str:
    return build_script(program, nonce="n", frame_chars=4096)


@settings(deadline=None)
@given(st.binary(), st.text(), st.dictionaries(st.text(), st.text()))
def test_it_is_ascii_and_carries_all_that_it_was_given(code: bytes, arg: str, env: dict[str, str]) -> None:
    text = script(Program(code, (RunSpec(1, 64, 10, args=(arg,), env=env),)))
    assert text.isascii()
    literal = text[text.rindex("(JSON.parse(") + len("(JSON.parse(") : -len("));")]
    run = json.loads(json.loads(literal))["runs"][0]
    assert (run["args"], run["env"]) == (
        [arg],
        {name: env[name] for name in env if name != "NODE_CHANNEL_FD"},
    )


def test_it_is_small() -> None:
    assert len(script(Program(b"", (RUN,)))) < 13_000


def test_a_program_does_not_learn_the_nonce_from_names() -> None:
    text = build_script(Program(b"", (RUN,)), nonce="abcdef0123456789", frame_chars=4096)
    assert text.count("abcdef0123456789") == 1


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\0"])
def test_an_uploaded_file_has_a_flat_name(name: str) -> None:
    with pytest.raises(ValueError, match="flat name"):
        Uploaded(name)
