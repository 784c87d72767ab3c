import asyncio
import os
import signal
import socket
import subprocess
from typing import Any

import pytest

from tests.contract.pool.processes import all_end, descendants
from tests.contract.pool.service import TOKEN, Service, StartPool
from worker.local.pool import Limits, PoolConfig, SessionPool
from worker.local.pool.config import MEGABYTE
from worker.local.pool.errors import StartError
from worker.local.pool.kernel import server_source
from worker.local.pool.sandbox import Bubblewrap

CHILD = """const run = (code, options) => require('child_process').spawnSync(
  process.execPath, ['-e', code], { encoding: 'utf8', ...options });"""
INSPECTED = """$$.async(); require('net').connect(9229)
  .on('error', (error) => $$.done(error.code)).on('connect', () => $$.done('open'))"""
CUT_OFF = """process.removeAllListeners(); process.on('uncaughtException', () => {});
  process.disconnect();"""
BOMB = """$$.async();
const child = `const { spawn } = require('child_process');
  const idle = ['-e', 'setInterval(() => {}, 1e6)'];
  const start = () => spawn(process.execPath, idle, { detached: true, stdio: 'ignore' });
  setInterval(() => { try { start().on('error', () => {}); } catch {} }, 5)`;
for (let n = 0; n < 4; n++) {
  require('child_process').spawn(process.execPath, ['-e', child], { detached: true, stdio: 'ignore' });
}
const threads = (pid) => { try { return fs.readdirSync(`/proc/${pid}/task`).length; } catch { return 0; } };
const all = () => fs.readdirSync('/proc').filter((name) => +name).map(threads).reduce((a, b) => a + b);
setTimeout(() => $$.done(all()), 1500);
"""


def test_a_kernel_whose_pool_died_while_it_started_ends() -> None:
    settings = PoolConfig(token=TOKEN)
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        sandbox = Bubblewrap(settings.node, server_source(settings.nel), settings.limits)
        launch = sandbox.launch(theirs.fileno(), None)
    try:
        assert launch.popen.wait(20) == 1
    finally:
        launch.popen.kill()
        launch.popen.wait()


async def test_a_pool_does_not_start_where_its_tools_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StartError, match="apt-get install bash bubblewrap libc-bin util-linux"):
        SessionPool(PoolConfig(token=TOKEN))


async def test_a_session_starts_child_processes_with_pipes_and_workers(service: Service) -> None:
    code = CHILD + "[1, 2, 3, 4].map((n) => run(`console.log(${n} * 2)`).stdout.trim()).join()"
    assert (await service.execute(code))["executionResult"] == "'2,4,6,8'"
    four = """$$.async(); let left = 4, out = '';
    for (const n of [1, 2, 3, 4]) require('child_process').execFile(process.execPath,
      ['-e', 'setTimeout(() => console.log(1), 300)'],
      (e, text) => { out += text.trim(); if (!--left) $$.done(out); })"""
    assert (await service.execute(four))["executionResult"] == "'1111'"


async def test_a_child_reads_its_standard_input_by_its_device(service: Service) -> None:
    code = (
        CHILD
        + """fs.writeFileSync('in', 'given'); const fd = fs.openSync('in');
    run("process.stdout.write(fs.readFileSync('/dev/stdin', 'utf8'))",
      { stdio: [fd, 'pipe', 'pipe'] }).stdout"""
    )
    assert (await service.execute(code))["executionResult"] == "'given'"


async def test_a_session_talks_to_itself_over_loopback_by_name(service: Service) -> None:
    code = """$$.async();
      const server = require('http').createServer((q, a) => a.end('heard')).listen(0, () =>
    fetch(`http://localhost:${server.address().port}`).then((a) => a.text())
        .then((t) => { server.close(); $$.done(t); }))"""
    assert (await service.execute(code))["executionResult"] == "'heard'"


async def test_a_session_knows_who_and_where_it_is(service: Service) -> None:
    code = "[os.userInfo().username, os.hostname(), process.cwd(), os.tmpdir(), process.pid].join()"
    assert (await service.execute(code))["executionResult"] == "'sandbox,session,/mnt/data,/tmp,1'"


async def test_its_children_cannot_kill_stop_or_debug_the_kernel(service: Service) -> None:
    code = (
        CHILD
        + """const sent = Object.keys(os.constants.signals).filter((name) =>
      run(`process.kill(1, '${name}'); process.kill(1, '${name}')`).status === 0);
    run("process.kill(0, 'SIGUSR1')"); sent.includes('SIGKILL') && !sent.includes('SIGUSR1')"""
    )
    result = await service.execute(code, timeoutInSeconds=60)
    assert result["executionResult"] == "true", result
    assert (await service.execute(INSPECTED))["executionResult"] == "'ECONNREFUSED'"


async def test_the_kernel_opens_no_inspector_whoever_sends_the_signal_for_it(service: Service) -> None:
    others = descendants(os.getpid())
    await service.execute("1")
    [kernel] = [pid for pid, _ in descendants(os.getpid()) - others if _is_kernel(pid)]
    os.kill(kernel, signal.SIGUSR1)
    waits = "$$.async(); setTimeout(() => $$.done(), 300)"
    await service.execute(waits)
    assert (await service.execute(INSPECTED))["executionResult"] == "'ECONNREFUSED'"


async def test_its_children_do_not_hold_the_kernels_channel_to_the_pool(start_pool: StartPool) -> None:
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(30)]  # so that the channel's number is high
    try:
        service = await start_pool()
    finally:
        for fd in held:
            os.close(fd)
    code = """const link = (fd) => fs.readlinkSync('/proc/self/fd/' + fd);
      const target = (fd) => { try { return link(fd); } catch { return ''; } };
      const held = fs.readdirSync('/proc/self/fd').filter((fd) => fd > 2 && target(fd).startsWith('socket'));
      console.log(held.length)"""
    assert (await service.execute(f"{CHILD} run(`{code}`).stdout"))["executionResult"] == "'0\\n'"


async def test_sessions_do_not_see_each_others_files_or_processes(service: Service) -> None:
    await service.execute(
        "fs.writeFileSync('/tmp/secret', '1'); fs.writeFileSync('secret', '1')", identifier="first"
    )
    await service.execute("setInterval(() => {}, 1e6)", identifier="first")
    code = """const numbers = fs.readdirSync('/proc').filter((name) => +name);
      [fs.readdirSync('/tmp'), fs.readdirSync('/mnt/data'), numbers].flat().join()"""
    assert (await service.execute(code, identifier="second"))["executionResult"] == "'1'"


async def test_a_planted_pipe_does_not_block_the_pool(start_pool: StartPool) -> None:
    others = descendants(os.getpid())
    service = await start_pool()
    await service.upload("x", b"1")
    new = descendants(os.getpid()) - others
    [directory] = [f"/proc/{pid}/root/mnt/data" for pid, _ in new if _is_kernel(pid)]
    owner = os.stat(directory).st_uid  # noqa: PTH116 - a path through another root
    become: dict[str, Any] = {"user": owner, "group": owner, "extra_groups": ()} if os.geteuid() == 0 else {}
    subprocess.run(["mkfifo", "pipe"], cwd=directory, check=True, **become)  # noqa: S607, ASYNC221 - short
    assert (await service.call("GET", "/files/pipe/content", identifier="test"))[0] == 404
    assert (await service.call("GET", "/files/pipe", identifier="test"))[0] == 404
    assert (await service.upload("pipe", b"replaced"))[0] == 200
    assert await service.call("GET", "/files/pipe/content", identifier="test") == (200, b"replaced")


def _is_kernel(pid: int) -> bool:
    with open(f"/proc/{pid}/cmdline", "rb") as line:  # noqa: PTH123 - read as bytes
        return line.read().startswith(b"/usr/bin/node\0")


async def test_a_fork_bomb_stops_at_the_limit_and_is_gone_after_the_release(start_pool: StartPool) -> None:
    others = descendants(os.getpid())
    service = await start_pool(limits=Limits(processes=90))
    threads = int((await service.execute(BOMB))["executionResult"])
    assert 22 < threads <= 90
    bombs = descendants(os.getpid()) - others
    assert len(bombs) > 3
    assert (await service.execute("'well'", identifier="another"))["executionResult"] == "'well'"
    await service.call("DELETE", "/session", identifier="test")
    assert all_end(bombs)


async def test_a_session_above_its_memory_bound_is_ended_and_no_other_notices(start_pool: StartPool) -> None:
    service = await start_pool(limits=Limits(memory_bytes=300 * MEGABYTE))
    await service.execute("var kept = 1", identifier="neighbour")
    hog = "$$.async(); const held = []; setInterval(() => held.push(Buffer.alloc(2e7, 1)), 5)"
    result = await service.execute(hog, timeoutInSeconds=60)
    assert (result["status"], result["stderr"]) == ("Failed", "Kernel restarted")
    assert (await service.execute("kept", identifier="neighbour"))["executionResult"] == "1"


@pytest.mark.parametrize("prelude", ["", CUT_OFF], ids=["idle", "cut_off"])
async def test_a_session_that_takes_memory_once_nothing_runs_in_it_is_ended(
    start_pool: StartPool, prelude: str
) -> None:
    others = descendants(os.getpid())
    service = await start_pool(limits=Limits(memory_bytes=300 * MEGABYTE))
    hog = "var held = []; const hog = () => { while (held.length < 25) held.push(Buffer.alloc(2e7, 1)); }; "
    await service.execute(f"{hog} setTimeout(hog, 300); setInterval(() => {{}}, 1e6); {prelude}")
    assert await asyncio.to_thread(all_end, descendants(os.getpid()) - others)


async def test_the_memory_of_children_counts(start_pool: StartPool) -> None:
    service = await start_pool(limits=Limits(memory_bytes=300 * MEGABYTE))
    hog = CHILD + "run('const held = []; setInterval(() => held.push(Buffer.alloc(2e7, 1)), 5)')"
    assert (await service.execute(hog, timeoutInSeconds=60))["stderr"] == "Kernel restarted"


async def test_the_names_of_files_count_as_memory(start_pool: StartPool) -> None:
    service = await start_pool(limits=Limits(memory_bytes=120 * MEGABYTE))
    links = """fs.writeFileSync('/tmp/a', '');
      for (let n = 0; n < 120000; n++) { fs.linkSync('/tmp/a', '/tmp/l' + n); AFTER } 'made'"""
    removed = links.replace("AFTER", "fs.unlinkSync('/tmp/l' + n)")
    assert (await service.execute(removed))["executionResult"] == "'made'"
    kept = links.replace("AFTER", "") + "; while (true);"
    assert (await service.execute(kept, timeoutInSeconds=20))["stderr"] == "Kernel restarted"


async def test_one_process_cannot_map_more_than_its_heap_bound(start_pool: StartPool) -> None:
    service = await start_pool(limits=Limits(heap_bytes_per_process=512 * MEGABYTE))
    result = await service.execute("Buffer.alloc(1e9).length")
    assert (result["status"], "Array buffer allocation failed" in result["stderr"]) == ("Failed", True)


async def test_a_full_temporary_directory_is_an_error_of_the_program(start_pool: StartPool) -> None:
    service = await start_pool(limits=Limits(tmp_bytes=4 * MEGABYTE, file_bytes=2 * MEGABYTE))
    write = "for (let n = 0; n < 9; n++) fs.writeFileSync(os.tmpdir() + '/' + n, Buffer.alloc(1e6))"
    assert "ENOSPC" in (await service.execute(write))["stderr"]
    assert "EFBIG" in (await service.execute("fs.writeFileSync('big', Buffer.alloc(3e6))"))["stderr"]


async def test_its_children_cannot_look_into_the_kernel(service: Service) -> None:
    code = """['mem', 'environ', 'maps', 'root', 'cwd'].map((name) => [`fs.readlinkSync('/proc/1/${name}')`,
      `fs.openSync('/proc/1/${name}')`].map((probe) => run(probe).status)).join()"""
    result = await service.execute(CHILD + code, timeoutInSeconds=60)
    assert result["executionResult"] == "'1,1,1,1,1,1,1,1,1,1'"
    assert (await service.execute("fs.readlinkSync('/proc/self/exe')"))[
        "executionResult"
    ] == "'/usr/bin/node'"
    assert int((await service.execute("process.memoryUsage().rss"))["executionResult"]) > MEGABYTE
