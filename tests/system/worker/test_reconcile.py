"""A batch of which messages are gone, a worker was killed and records are lost, brought to its end again."""

import json
from pathlib import Path

from tests.system.worker.processes import killed, run, working
from tests.system.worker.services import Services, eventually


def test_a_batch_with_holes_is_told_and_repaired(services: Services, batch: str, tmp_path: Path) -> None:
    settings = {**services.environment, "JSWORKER_QUEUE": "reconciled", "JSWORKER_MAX_SESSIONS": "2"}
    programs = tmp_path / "programs"
    programs.mkdir()
    ids = [f"s{number}" for number in range(5)]
    for job_id in ids:
        (programs / f"{job_id}.js").write_text(f"setTimeout(() => console.log('{job_id}'), 500)")
    assert run("submit", str(programs), "--batch", batch, settings=settings).returncode == 0
    with killed(
        {**settings, "JSWORKER_MAX_SESSIONS": "1", "JSWORKER_LOOKAHEAD": "0"}, tmp_path / "killed.log"
    ):
        eventually(lambda: services.progress(batch))
    done, gone = services.etags(batch).keys(), set[str]()
    while len(gone) < 2:  # behind everybody's back; the message of a job that is done may be there still
        with services.received("reconciled") as message:
            gone |= {str(message.message_id).partition("/")[2]} - done
    (record,) = services.blobs.get_container_client("results").list_blob_names(
        name_starts_with=f"{batch}/_batch/progress-"
    )
    services.blobs.get_blob_client("results", record).delete_blob()

    told = run("reconcile", batch, "--json", settings=settings)
    assert told.returncode == 1, told.stderr
    found = json.loads(told.stdout)
    where = {job["id"]: job["where"] for job in found["missing"]}
    assert {job_id for job_id, place in where.items() if place == "lost"} == gone
    assert {place for job_id, place in where.items() if job_id not in gone} == {"waiting"}
    assert where.keys() | done == set(ids)
    assert set(found["without_progress_line"]) == done
    explained = run("explain", min(gone), "--batch", batch, settings=settings)
    assert f"nowhere: run jsworker reconcile {batch} --repair" in explained.stdout

    repaired = run("reconcile", batch, "--repair", settings=settings)
    assert (repaired.returncode, repaired.stderr) == (0, "")
    assert "repaired: 2 jobs sent again" in repaired.stdout
    waiting = [message.message_id for message in services.waiting("reconciled")]
    assert {f"{batch}/{job_id}.s1" for job_id in gone} <= set(waiting)
    with working({**settings, "JSWORKER_SHUTDOWN_GRACE_SECONDS": "5"}, tmp_path / "worker.log"):
        results = services.results(batch, ids)
    assert {job_id: result["stdout"]["text"] for job_id, result in results.items()} == {
        job_id: f"{job_id}\n" for job_id in ids
    }
