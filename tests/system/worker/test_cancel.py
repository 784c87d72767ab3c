"""Cancelling with real processes: what waits is not run, what runs is stopped, and each has one result."""

from pathlib import Path

from tests.system.worker.processes import run, working
from tests.system.worker.services import Services, eventually

FOREVER = "console.log('started'); setInterval(() => {}, 1e6)"


def test_a_cancelled_job_and_then_its_batch_end_at_once_and_leave_nothing(
    services: Services, batch: str, tmp_path: Path
) -> None:
    """Of six jobs two run, some are with the worker and wait for a session, the last is in the queue."""
    settings = {
        **services.environment,
        "JSWORKER_QUEUE": "cancelled",
        "JSWORKER_MAX_SESSIONS": "2",
        "JSWORKER_DEFAULT_TIMEOUT_SECONDS": "150",
    }
    programs = tmp_path / "programs"
    programs.mkdir()
    ids = [f"s{number}" for number in range(6)]
    for job_id in ids:
        (programs / f"{job_id}.js").write_text(FOREVER)
    assert run("submit", str(programs), "--batch", batch, settings=settings).returncode == 0
    with working(settings, tmp_path / "worker.log") as worker:
        eventually(lambda: len(services.sessions()) == 2)
        one = run("cancel", f"{batch}/{ids[0]}", "--wait", settings=settings)
        assert one.returncode == 0, one.stderr
        assert "the job has no result yet and will end as cancelled" in one.stderr
        whole = run("cancel", batch, "--wait", settings=settings)
        assert whole.returncode == 0, whole.stderr
        assert "5 jobs have no result yet" in whole.stderr
        results = services.results(batch, ids, 1)
        assert {result["status"] for result in results.values()} == {"cancelled"}
        assert services.sessions() == []
        assert len(worker.events("job_cancelled")) == len(ids)
        eventually(lambda: not services.waiting("cancelled"))
    assert services.dead_letters("cancelled") == []
