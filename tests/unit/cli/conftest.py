import pytest


@pytest.fixture(autouse=True)
def commands_run_in_this_process(logs_are_left_alone: None) -> None:
    """Whatever test of this folder runs one."""
