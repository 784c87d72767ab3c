import asyncio
import fcntl
import socket
import struct
import termios

from worker.local.pool.kernel import Kernel


def unread(sock: socket.socket) -> int:
    return int(struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0])


async def test_a_flood_of_a_kernel_that_runs_nothing_is_taken_in_small_pieces_with_rests() -> None:
    ours, theirs = socket.socketpair()
    sent = theirs.send(b"\n" * 150_000, socket.MSG_DONTWAIT)
    assert sent > 100_000
    transport, _ = await asyncio.get_running_loop().create_unix_connection(Kernel, sock=ours)
    try:
        async with asyncio.timeout(10):
            while transport.is_reading():  # noqa: ASYNC110 - it tells nobody that it rests
                await asyncio.sleep(0)
            assert unread(ours) > sent // 2
            while unread(ours):  # noqa: ASYNC110 - nor that it went on
                await asyncio.sleep(0.001)
    finally:
        transport.abort()
        theirs.close()
