import base64

import aiohttp
import pytest

from tests.contract.pool.service import Service, StartPool
from worker.local.faults import PoolFaults
from worker.local.switches import Switches


async def test_the_call_of_the_tutorial_prints_hello_world(service: Service) -> None:
    version = "2024-10-02-preview"
    body = {"code": 'console.log("hello world")'}
    status, answer = await service.call("POST", "/executions", version=version, identifier="test", json=body)
    assert status == 200
    assert answer["status"] == "Succeeded"
    assert answer["identifier"] == "test"
    assert answer["executionType"] == "Synchronous"
    assert answer["result"]["stdout"] == "hello world\n"
    assert answer["result"]["stderr"] == ""


async def test_the_last_value_comes_back_as_inspected_text(service: Service) -> None:
    assert (await service.execute("1+1"))["executionResult"] == "2"
    assert (await service.execute("({a: [1]})"))["executionResult"] == "{ a: [ 1 ] }"


async def test_state_stays_between_the_executions_of_a_session(service: Service) -> None:
    await service.execute("const kept = 41")
    assert (await service.execute("kept + 1"))["executionResult"] == "42"
    assert (await service.execute("const kept = 0"))["status"] == "Failed"
    assert (await service.execute("typeof kept", identifier="another"))["executionResult"] == "'undefined'"


async def test_an_exception_fails_the_execution_and_stands_in_stderr(service: Service) -> None:
    result = await service.execute("console.log('before'); throw new TypeError('broken')")
    assert result["status"] == "Failed"
    assert "TypeError: broken" in result["stderr"]
    assert result["stdout"] == "before\n"
    assert (await service.execute("'alive'"))["status"] == "Succeeded"


async def test_the_kernel_waits_for_done_when_code_asks_it_to(service: Service) -> None:
    result = await service.execute("$$.async(); setTimeout(() => { console.log('late'); $$.done(7) }, 20)")
    assert (result["stdout"], result["executionResult"]) == ("late\n", "7")


async def test_a_sent_error_fails_the_execution(service: Service) -> None:
    result = await service.execute("$$.async(); setTimeout(() => $$.sendError(new Error('sent')), 1)")
    assert (result["status"], "Error: sent" in result["stderr"]) == ("Failed", True)


async def test_streams_are_cut_silently_at_4096_characters(service: Service) -> None:
    result = await service.execute("console.log('x'.repeat(5000)); console.error('e'.repeat(5000))")
    assert result["status"] == "Succeeded"
    assert (result["stdout"], result["stderr"]) == ("x" * 4096, "e" * 4096)


async def test_the_newest_version_lets_the_client_set_the_length_of_streams(service: Service) -> None:
    result = await service.execute("console.log('x'.repeat(300000))", outputStreamsMaxLength=200_000)
    assert result["stdout"] == "x" * 200_000
    body = {"code": "console.log('x'.repeat(9000))", "outputStreamsMaxLength": 9000}
    older = "2025-02-02-preview"
    _, answer = await service.call("POST", "/executions", version=older, identifier="test", json=body)
    assert len(answer["result"]["stdout"]) == 4096


async def test_a_hundred_megabytes_of_output_end_in_what_was_asked_for(service: Service) -> None:
    result = await service.execute(
        "for (let i = 0; i < 1e3; i++) console.log('y'.repeat(1e5)); 5", timeoutInSeconds=60
    )
    assert result["stdout"] == "y" * 4096
    assert result["executionResult"] == "5"


async def test_any_text_comes_through_as_it_is(service: Service) -> None:
    result = await service.execute(r"console.log('\0 \x1b[31m é 😀 end')")
    assert result["stdout"] == "\0 \x1b[31m é 😀 end\n"
    assert (await service.execute("'\ud800'.charCodeAt(0)"))["executionResult"] == "55296"


async def test_code_of_many_megabytes_runs(service: Service) -> None:
    assert (await service.execute(f"'{'z' * 6_000_000}'.length"))["executionResult"] == "6000000"


async def test_code_may_come_as_base64(service: Service) -> None:
    code = base64.b64encode("'é'.length".encode()).decode()
    assert (await service.execute(code, codeInputType="InlineBase64"))["executionResult"] == "1"


async def test_a_run_past_its_limit_fails_and_its_session_is_of_no_more_use(service: Service) -> None:
    result = await service.execute("while (true);", timeoutInSeconds=1)
    assert result["status"] == "Failed"
    assert result["stderr"] == "Request timed out waiting for code execution to complete"
    assert (await service.execute("1"))["status"] == "Failed"
    assert (await service.execute("1", identifier="another"))["status"] == "Succeeded"


async def test_an_exit_of_the_kernel_is_told_as_a_restart(service: Service) -> None:
    result = await service.execute("process.exit(7)")
    assert (result["status"], result["stderr"]) == ("Failed", "Kernel restarted")


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"code": 1}',
        b'{"code": "1", "timeoutInSeconds": 0}',
        b'{"code": "1", "timeoutInSeconds": 221}',
        b'{"code": "1", "timeoutInSeconds": "10"}',
        b'{"code": "1", "outputStreamsMaxLength": 1000001}',
        b'{"code": "1", "executionType": "Asynchronous"}',
        b'{"code": "#", "codeInputType": "InlineBase64"}',
        b'{"code": "1", "codeInputType": "File"}',
    ],
)
async def test_a_malformed_request_is_refused_and_allocates_nothing(service: Service, body: bytes) -> None:
    status, answer = await service.call("POST", "/executions", identifier="test", data=body)
    assert (status, answer["error"]["code"]) == (400, "ValidationFailed")
    assert await service.allocated() == []


async def test_the_first_preview_takes_and_gives_the_wrapped_shape(service: Service) -> None:
    body = {
        "properties": {"codeInputType": "inline", "executionType": "synchronous", "code": "console.log(3); 4"}
    }
    body["properties"]["executionType"] = "Synchronous"
    path, version = "/code/execute", "2024-02-02-preview"
    status, answer = await service.call("POST", path, version=version, identifier="test", json=body)
    assert status == 200
    properties = answer["properties"]
    assert (properties["status"], properties["stdout"], properties["result"]) == ("Success", "3\n", "4")


async def test_a_pool_that_wants_the_wrapped_shape_names_what_is_missing(start_pool: StartPool) -> None:
    service = await start_pool(faults=Switches(PoolFaults(wrapped_body=True)))
    status, answer = await service.call("POST", "/executions", identifier="test", json={"code": "1"})
    assert (status, answer["error"]["code"]) == (400, "SessionPropertiesMissing")
    wrapped = {"properties": {"code": "1"}}
    status, answer = await service.call("POST", "/executions", identifier="test", json=wrapped)
    assert (status, answer["properties"]["result"]) == (200, "1")


async def test_a_synchronous_run_may_be_answered_with_202(start_pool: StartPool) -> None:
    service = await start_pool(faults=Switches(PoolFaults(accepted_status=True)))
    status, answer = await service.call("POST", "/executions", identifier="test", json={"code": "1"})
    assert (status, answer["status"]) == (202, "Succeeded")


async def test_an_answer_may_be_cut_off(start_pool: StartPool) -> None:
    service = await start_pool(faults=Switches(PoolFaults(cut_answers=True)))
    with pytest.raises(aiohttp.ClientPayloadError):
        await service.execute("1")


async def test_every_answer_tells_its_session_and_how_it_is_confined(service: Service) -> None:
    query = {"api-version": "2025-10-02-preview", "identifier": "test"}
    async with service.http.post(
        f"{service.endpoint}/executions", params=query, json={"code": "1"}
    ) as response:
        names = {name.lower() for name in response.headers}
    assert {
        "operation-id",
        "x-ms-session-guid",
        "x-ms-allocation-time",
        "x-ms-container-execution-duration",
        "mise-correlation-id",
    } <= names
    assert response.headers["x-jsworker-sandbox"] == "bubblewrap+seccomp"
