"""The file of faults: what it may say, and that anything else is refused by name."""

import json
import re
from pathlib import Path

import pytest

from worker.local.faults import BlobFaults, BrokerFaults, Faults, FaultsError, PoolFaults, read_faults

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "rehearsing-faults.md"


def written(folder: Path, text: str) -> Path:
    file = folder / "faults.json"
    file.write_text(text)
    return file


def test_all_is_off_by_default(tmp_path: Path) -> None:
    assert read_faults(written(tmp_path, "{}")) == Faults()
    for section in (PoolFaults(), BrokerFaults(), BlobFaults()):
        rates = {name: value for name, value in section.model_dump().items() if name.endswith("_rate")}
        assert rates
        assert set(rates.values()) == {0.0}


def test_faults_are_read_by_their_names(tmp_path: Path) -> None:
    text = """{"seed": 7, "pool": {"when_full": "404", "delete_refused": 501, "full_rate": 0.5, "down": true},
               "broker": {"hang": true, "clock_skew_seconds": -120}, "blobs": {"cut_body_rate": 1}}"""
    assert read_faults(written(tmp_path, text)) == Faults(
        seed=7,
        pool=PoolFaults(when_full="404", delete_refused=501, full_rate=0.5, down=True),
        broker=BrokerFaults(hang=True, clock_skew_seconds=-120.0),
        blobs=BlobFaults(cut_body_rate=1.0),
    )


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "file"),
        ("[]", "file"),
        ('{"typo": {}}', "typo"),
        ('{"pool": {"typo": 1}}', "pool.typo"),
        ('{"pool": {"full_rate": 1.5}}', "pool.full_rate"),
        ('{"pool": {"full_rate": true}}', "pool.full_rate"),
        ('{"pool": {"when_full": "418"}}', "pool.when_full"),
        ('{"pool": {"delete_refused": 404}}', "pool.delete_refused"),
        ('{"broker": {"latency_seconds": -1}}', "broker.latency_seconds"),
        ('{"broker": {"hang": 1}}', "broker.hang"),
        ('{"blobs": {"down": "yes"}}', "blobs.down"),
        ('{"seed": "x"}', "seed"),
    ],
)
def test_what_is_wrong_is_told_with_its_field(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(FaultsError, match=rf"faults\.json: {field}: "):
        read_faults(written(tmp_path, text))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match="No such file"):
        read_faults(tmp_path / "absent.json")


def test_the_blob_store_knows_the_same_switches() -> None:
    source = (ROOT / "worker/local/node/faults.js").read_text()
    declared = source.partition("const OFF = {")[2].partition("};")[0]
    known = dict(re.findall(r"(\w+): (\w+),", declared))
    assert {name: json.loads(value) for name, value in known.items()} == BlobFaults().model_dump()


@pytest.mark.parametrize("section", [PoolFaults, BrokerFaults, BlobFaults])
def test_every_switch_is_documented(section: type[PoolFaults | BrokerFaults | BlobFaults]) -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert set(section.model_fields) <= documented
