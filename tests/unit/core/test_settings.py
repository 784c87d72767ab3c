"""Settings come from the environment; all that is wrong with them is told at once."""

import pytest

from worker.lane import Lane
from worker.settings import ClientSettings, SettingsError, WorkerSettings, load

ENOUGH = {
    "JSWORKER_SERVICEBUS_NAMESPACE": "n.servicebus.windows.net",
    "JSWORKER_STORAGE_ACCOUNT_URL": "https://a.blob.core.windows.net/",
    "JSWORKER_POOL_ENDPOINT": "https://pool.example/p/",
    "JSWORKER_MAX_SESSIONS": "5",
}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in ENOUGH.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def problems(cls: type[ClientSettings] = WorkerSettings) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(cls)
    first, *lines = str(caught.value).splitlines()
    assert first == "the settings cannot be used:"
    return [line.strip() for line in lines]


def test_four_settings_are_enough(environ: pytest.MonkeyPatch) -> None:
    del environ
    settings = load(WorkerSettings)
    assert (settings.max_sessions, settings.slots, settings.queue) == (5, 9, "jobs")
    assert settings.pool_endpoint == "https://pool.example/p"


def test_all_that_is_missing_is_told_at_once() -> None:
    assert [problem.partition(":")[0] for problem in problems()] == [
        "JSWORKER_POOL_ENDPOINT",
        "JSWORKER_MAX_SESSIONS",
        "JSWORKER_SERVICEBUS_NAMESPACE",
        "JSWORKER_STORAGE_ACCOUNT_URL",
    ]
    assert len(problems(ClientSettings)) == 2


@pytest.mark.parametrize(
    "name",
    [
        "DEFAULT_TIMEOUT_SECONDS",
        "MAX_TIMEOUT_SECONDS",
        "DEFAULT_MEMORY_MB",
        "MAX_MEMORY_MB",
        "DEFAULT_OUTPUT_BYTES",
        "MAX_OUTPUT_BYTES",
        "MAX_SESSIONS",
        "SESSION_POLICY",
        "LOG_LEVEL",
        "POOL_ENDPOINT",
        "RETRY_BASE_SECONDS",
    ],
)
def test_nonsense_is_told_beside_all_else(environ: pytest.MonkeyPatch, name: str) -> None:
    environ.setenv(f"JSWORKER_{name}", "nonsense")
    environ.delenv("JSWORKER_STORAGE_ACCOUNT_URL")
    assert [problem.partition(":")[0] for problem in problems()] == [
        f"JSWORKER_{name}",
        "JSWORKER_STORAGE_ACCOUNT_URL",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https://:443/p",
        "http://h:99999/p",
        "http://h:0",
        "http://h:x",
        f"https://{'l' * 64}.a",
    ],
)
def test_an_address_that_cannot_be_connected_to_is_told(environ: pytest.MonkeyPatch, url: str) -> None:
    environ.setenv("JSWORKER_POOL_ENDPOINT", url)
    assert problems() == ["JSWORKER_POOL_ENDPOINT: has no host or port that can be connected to"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:10000/a", "http://[::1]:1/a", "https://bücher.example"])
def test_an_address_may_be_of_any_kind_of_host(environ: pytest.MonkeyPatch, url: str) -> None:
    environ.setenv("JSWORKER_POOL_ENDPOINT", url)
    assert load(WorkerSettings).pool_endpoint == url


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "0"])
@pytest.mark.parametrize(
    "name", ["WAIT_IN_HAND_SECONDS", "RETRY_MAX_SECONDS", "DEFAULT_TIMEOUT_SECONDS", "MAX_TIMEOUT_SECONDS"]
)
def test_a_time_is_a_positive_number(environ: pytest.MonkeyPatch, name: str, value: str) -> None:
    environ.setenv(f"JSWORKER_{name}", value)
    assert problems()[0].partition(":")[0] == f"JSWORKER_{name}"


@pytest.mark.parametrize("name", ["SHUTDOWN_GRACE_SECONDS", "SESSION_COOLDOWN_SECONDS"])
def test_a_time_that_may_be_zero_may_not_be_without_end(environ: pytest.MonkeyPatch, name: str) -> None:
    for value in ("nan", "inf", "-1"):
        environ.setenv(f"JSWORKER_{name}", value)
        assert len(problems()) == 1


@pytest.mark.parametrize(
    ("default", "maximum"),
    [("TIMEOUT_SECONDS", "5"), ("MEMORY_MB", "256"), ("OUTPUT_BYTES", "1000")],
)
def test_a_default_above_its_maximum_is_told(environ: pytest.MonkeyPatch, default: str, maximum: str) -> None:
    environ.setenv(f"JSWORKER_MAX_{default}", maximum)
    assert problems() == [f"JSWORKER_DEFAULT_{default}: is above JSWORKER_MAX_{default}"]


def test_a_share_of_the_fleets_sessions_needs_leases_and_lies_within_the_pool(
    environ: pytest.MonkeyPatch,
) -> None:
    environ.setenv("JSWORKER_MAX_SESSIONS", "20")
    environ.setenv("JSWORKER_SESSIONS_PER_WORKER", "10")
    assert problems() == ["JSWORKER_SESSIONS_PER_WORKER: needs PERMIT_LEASES=true; without, set MAX_SESSIONS"]
    environ.setenv("JSWORKER_PERMIT_LEASES", "true")
    settings = load(WorkerSettings)
    assert (settings.max_sessions, settings.own_sessions, settings.slots) == (20, 10, 17)
    environ.setenv("JSWORKER_SESSIONS_PER_WORKER", "21")
    assert problems() == [
        "JSWORKER_SESSIONS_PER_WORKER: is above MAX_SESSIONS, which all workers have together"
    ]


def test_containers_are_a_list_with_commas_and_never_empty(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("JSWORKER_CODE_CONTAINERS", " a, b ,,c ")
    assert load(WorkerSettings).code_containers == ("a", "b", "c")
    environ.setenv("JSWORKER_CODE_CONTAINERS", " , ")
    assert len(problems()) == 1


def test_no_job_may_name_results(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("JSWORKER_CODE_CONTAINERS", "submissions,inputs,results")
    assert problems() == ["JSWORKER_CODE_CONTAINERS: must not name 'results', where results are"]
    environ.setenv("JSWORKER_RESULTS_CONTAINER", "elsewhere")
    assert load(WorkerSettings).results_container == "elsewhere"


def test_one_queue_is_taken_from_and_sent_to(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("JSWORKER_QUEUE", "mine")
    settings = load(WorkerSettings)
    assert (settings.queue, settings.lanes, settings.queue_names) == ("mine", (Lane("mine"),), ("mine",))


def test_of_several_queues_the_first_is_sent_to_unless_another_is_named(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("JSWORKER_QUEUES", "urgent:4, jobs, events/Subscriptions/runs:2")
    settings = load(WorkerSettings)
    assert settings.queue == "urgent"
    assert settings.lanes == (Lane("urgent", 4), Lane("jobs", 1), Lane("events/Subscriptions/runs", 2))
    environ.setenv("JSWORKER_QUEUE", "elsewhere")
    settings = load(WorkerSettings)
    assert (settings.queue, settings.queue_names[-1]) == ("elsewhere", "elsewhere")
    environ.setenv("JSWORKER_QUEUE", "jobs")
    assert len(load(WorkerSettings).queue_names) == 3


def test_queues_that_are_written_wrongly_are_told_beside_all_else(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("JSWORKER_QUEUES", "t/Subscriptions/s:0,b")
    environ.setenv("JSWORKER_MAX_SESSIONS", "none")
    first, second = problems()
    assert first.startswith("JSWORKER_QUEUES: the weight of 't/Subscriptions/s' is '0'")
    assert "the first must be a queue" in first
    assert second.startswith("JSWORKER_MAX_SESSIONS:")
    environ.setenv("JSWORKER_MAX_SESSIONS", "2")
    environ.delenv("JSWORKER_QUEUES")
    environ.setenv("JSWORKER_QUEUE", "t/Subscriptions/s")
    assert problems()[0].startswith("JSWORKER_QUEUE: is a subscription")


def test_secrets_do_not_show(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("JSWORKER_POOL_TOKEN", "hush")
    environ.setenv("JSWORKER_STORAGE_CONNECTION_STRING", "AccountKey=hush")
    environ.setenv("JSWORKER_SESSION_SECRET", "hush")
    settings = load(WorkerSettings)
    assert "hush" not in f"{settings!r} {settings}"
    environ.setenv("JSWORKER_MAX_SESSIONS", "hush")
    assert "hush" not in " ".join(problems())


WEBHOOKS = {
    "JSWORKER_WEBHOOK_HOSTS": " Hooks.Example., *.B\u00fccher.example,192.0.2.7, [2001:DB8::7]",
    "JSWORKER_WEBHOOK_SECRET": f"whsec_{'QUFB' * 10} whsec_{'QUJC' * 10}",
    "JSWORKER_WEBHOOK_PRIVATE_NETWORKS": "10.0.0.0/8, fd00::/8",
}


def test_hosts_of_webhooks_are_brought_into_one_form(environ: pytest.MonkeyPatch) -> None:
    for name, value in WEBHOOKS.items():
        environ.setenv(name, value)
    settings = load(WorkerSettings)
    assert settings.webhook_hosts == (
        "hooks.example", "*.xn--bcher-kva.example", "192.0.2.7", "2001:db8::7",
    )  # fmt: skip
    assert [len(key) for key in settings.webhook_keys] == [30, 30]
    assert [str(network) for network in settings.webhook_private_networks] == ["10.0.0.0/8", "fd00::/8"]
    assert "QUFB" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK_HOSTS", "https://a.example"), ("WEBHOOK_HOSTS", "*"), ("WEBHOOK_SECRET", "hush"),
        ("WEBHOOK_SECRET", "whsec_hush"), ("WEBHOOK_PRIVATE_NETWORKS", "10.0.0.1/8"),
        ("WEBHOOK_CA_FILE", "/nowhere"), ("WEBHOOK_CA_FILE", __file__), ("WEBHOOK_TIMEOUT_SECONDS", "0"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_webhooks_is_told(environ: pytest.MonkeyPatch, name: str, value: str) -> None:
    environ.setenv(f"JSWORKER_{name}", value)
    assert any(problem.startswith(f"JSWORKER_{name}: ") for problem in problems())
    assert "hush" not in " ".join(problems())


def test_events_are_never_posted_unsigned(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("JSWORKER_WEBHOOK_HOSTS", "a.example")
    assert [problem.partition(":")[0] for problem in problems()] == ["JSWORKER_WEBHOOK_SECRET"]
    assert load(ClientSettings).webhook_hosts == ("a.example",)


def test_the_look_ahead_grows_with_the_sessions_and_can_be_set(environ: pytest.MonkeyPatch) -> None:
    for sessions, slots in ((1, 3), (20, 32), (600, 616)):
        environ.setenv("JSWORKER_MAX_SESSIONS", str(sessions))
        assert load(WorkerSettings).slots == slots
    environ.setenv("JSWORKER_LOOKAHEAD", "0")
    assert load(WorkerSettings).slots == 600


def test_events_may_not_go_to_a_queue_that_jobs_are_taken_from(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("JSWORKER_QUEUES", "urgent:4,jobs")
    environ.setenv("JSWORKER_EVENTS_TO", "topic:events,queue:Urgent")
    (problem,) = problems()
    assert problem.startswith("JSWORKER_EVENTS_TO and ")
    assert "'Urgent'" in problem
