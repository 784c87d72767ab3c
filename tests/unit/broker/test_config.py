"""The file that declares the queues."""

from pathlib import Path

import pytest

from worker.local.broker.config import BrokerConfig, ConfigError, QueueSettings, read_queues


def test_a_queue_needs_no_more_than_a_name(tmp_path: Path) -> None:
    path = tmp_path / "queues.json"
    path.write_text('{"queues": [{"name": "jobs"}]}')
    assert read_queues(path) == (QueueSettings(name="jobs"),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"queues": [{"name": "jobs", "lock": 3}]}', "queues.0.lock: Extra inputs are not permitted"),
        ('{"queues": [{"name": "jobs", "max_delivery_count": 0}]}', "queues.0.max_delivery_count: "),
        ('{"queues": [{"name": ""}]}', "queues.0.name: "),
        ('{"queue": []}', "queues: Field required"),
        ("[", "file: Invalid JSON"),
    ],
)
def test_a_wrong_file_is_explained_by_field(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "queues.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        read_queues(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json: No such file"):
        read_queues(tmp_path / "none.json")


def test_names_that_differ_in_case_only_are_the_same(tmp_path: Path) -> None:
    queues = (QueueSettings(name="Jobs"), QueueSettings(name="jobs"))
    with pytest.raises(ValueError, match="two queues have the same name"):
        BrokerConfig(data_dir=tmp_path, queues=queues, key="k")
