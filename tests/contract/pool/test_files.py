import pytest

from tests.contract.pool.service import Service, StartPool
from worker.local.pool import Limits
from worker.local.pool.files import MOST_LISTED


async def test_a_file_goes_up_is_used_and_comes_back(service: Service) -> None:
    status, described = await service.upload("in.bin", bytes(range(256)) * 4000)
    assert (status, described["name"], described["sizeInBytes"]) == (200, "in.bin", 1_024_000)
    code = "fs.writeFileSync('out.bin', fs.readFileSync('in.bin').reverse()); fs.statSync('in.bin').uid"
    assert (await service.execute(code))["executionResult"] == "1000"
    assert await service.call("GET", "/files/out.bin/content", identifier="test") == (
        200,
        bytes(reversed(range(256))) * 4000,
    )
    _, listed = await service.call("GET", "/files", identifier="test")
    assert [file["name"] for file in listed["value"]] == ["in.bin", "out.bin"]
    assert (await service.call("DELETE", "/files/in.bin", identifier="test"))[0] == 204
    status, body = await service.call("GET", "/files/in.bin", identifier="test")
    assert (status, body["error"]["code"]) == (404, "FileNotFound")


async def test_an_upload_replaces_a_file_and_code_may_change_it(service: Service) -> None:
    await service.upload("a.txt", b"old and long")
    await service.upload("a.txt", b"new")
    result = await service.execute("fs.appendFileSync('a.txt', '!'); fs.readFileSync('a.txt', 'utf8')")
    assert result["executionResult"] == "'new!'"


async def test_names_beyond_ascii_and_with_spaces_are_files_too(service: Service) -> None:
    await service.upload("Übung 1.js", b"1")
    assert await service.call("GET", "/files/Übung 1.js/content", identifier="test") == (200, b"1")


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a\\b", "/etc/passwd", "x" * 256])
async def test_a_name_that_is_no_flat_name_is_refused(service: Service, name: str) -> None:
    status, body = await service.upload(name, b"1")
    assert (status, body["error"]["code"]) == (400, "FilePathInvalid")


async def test_an_encoded_slash_does_not_lead_out(service: Service) -> None:
    for path in ("/files/..%2F..%2Fetc%2Fpasswd/content", "/files/%2Fetc%2Fpasswd/content"):
        query = {"api-version": "2025-10-02-preview", "identifier": "test"}
        from yarl import URL  # noqa: PLC0415 - only this test needs an encoded path

        url = URL(service.endpoint + path, encoded=True).with_query(query)
        async with service.http.get(url) as response:
            assert response.status in {400, 404}


async def test_a_planted_link_leads_nowhere(service: Service) -> None:
    await service.execute("fs.symlinkSync('/etc/passwd', 'link'); fs.symlinkSync('/mnt', 'folder')")
    assert (await service.call("GET", "/files/link/content", identifier="test"))[0] == 404
    assert (await service.call("GET", "/files", identifier="test"))[1] == {"value": []}
    assert (await service.upload("link", b"mine"))[0] == 200
    found = await service.execute(
        "[fs.readFileSync('link', 'utf8'), fs.readFileSync('/etc/passwd', 'utf8').length > 9]"
    )
    assert found["executionResult"] == "[ 'mine', true ]"


async def test_a_file_of_any_time_and_name_is_listed(service: Service) -> None:
    code = """fs.writeFileSync('far', ''); fs.utimesSync('far', 1e12, 1e12);
      fs.writeFileSync(Buffer.from([0xff, 0x0a]), '')"""
    await service.execute(code)
    status, listed = await service.call("GET", "/files", identifier="test")
    assert (status, [file["name"] for file in listed["value"]]) == (200, ["far", "\udcff\n"])
    assert (await service.call("GET", "/files/far", identifier="test"))[0] == 200


async def test_files_that_come_and_go_can_be_listed(service: Service) -> None:
    code = """const come = (n) => fs.writeFileSync('f' + n, ''), go = (n) => fs.rmSync('f' + n);
      const turn = () => { for (let n = 0; n < 300; n++) come(n); for (let n = 0; n < 300; n++) go(n); };
      setInterval(turn, 0); 1"""
    assert (await service.execute(code))["executionResult"] == "1"
    statuses = {(await service.call("GET", "/files", identifier="test"))[0] for _ in range(50)}
    assert statuses == {200}


async def test_a_file_above_the_limit_is_refused_and_leaves_nothing(start_pool: StartPool) -> None:
    service = await start_pool(limits=Limits(upload_bytes=1000))
    assert (await service.upload("big", b"x" * 1001))[0] == 413
    assert (await service.call("GET", "/files", identifier="test"))[1] == {"value": []}
    assert (await service.upload("fits", b"x" * 1000))[0] == 200


async def test_a_full_data_directory_is_told(start_pool: StartPool) -> None:
    service = await start_pool(limits=Limits(data_bytes=1_000_000))
    status, body = await service.upload("big", b"x" * 2_000_000)
    assert (status, body["error"]["code"]) == (507, "StorageFull")
    assert (await service.execute("fs.readdirSync('.').length"))["executionResult"] == "0"


async def test_a_file_call_with_a_new_identifier_allocates_a_session(service: Service) -> None:
    await service.call("GET", "/files", identifier="other")
    assert await service.allocated() == ["other"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"x"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nno header\r\n\r\nx\r\n--b--\r\n"),
    ],
)
async def test_a_body_without_a_file_is_refused(service: Service, content_type: str, body: bytes) -> None:
    headers = {"Content-Type": content_type}
    assert (await service.call("POST", "/files", identifier="test", data=body, headers=headers))[0] == 400


async def test_of_more_files_than_anyone_lists_some_are_listed(service: Service) -> None:
    await service.execute("for (let n = 0; n < 10100; n++) fs.writeFileSync('f' + n, '')")
    _, listing = await service.call("GET", "/files", identifier="test")
    assert len(listing["value"]) == MOST_LISTED
