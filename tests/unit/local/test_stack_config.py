"""The settings of a local stack, as a value and as a command line."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from worker.local.config import StackConfig, parse

paths = st.sampled_from([Path("/srv/state"), Path("/srv/with space"), Path("/srv/--odd")])
configs = st.builds(
    StackConfig,
    state_dir=paths,
    max_sessions=st.integers(1, 600),
    cooldown_seconds=st.floats(0, 3600, allow_nan=False),
    spares=st.integers(0, 10),
    unsafe_no_sandbox=st.booleans(),
    faults_file=st.none() | paths,
)


@given(configs)
def test_the_command_line_made_of_a_configuration_reads_back_as_it(config: StackConfig) -> None:
    assert parse(config.arguments()) == (config, None)


def test_relative_paths_are_made_absolute_for_a_process_elsewhere() -> None:
    config = StackConfig(state_dir=Path("state"), faults_file=Path("faults.json"))
    parsed, _ = parse(config.arguments())
    assert parsed.state_dir == Path.cwd() / "state"
    assert parsed.faults_file == Path.cwd() / "faults.json"
