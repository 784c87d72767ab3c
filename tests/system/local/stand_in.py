"""Stands in for a role of the local stack: ready line, 201 for every request, an end on SIGTERM.

Arguments: PORT, a directory to be recognised by, and what it does wrong: `fails` at once, says `nonsense`,
`garbles` its answer, is `deaf` to SIGTERM.
"""

import asyncio
import json
import signal
import sys

ANSWER = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
port, _, *habits = sys.argv[1:]


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER.lower() if "garbles" in habits else ANSWER)
    writer.close()


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM, stop.clear if "deaf" in habits else stop.set
    )
    server = await asyncio.start_server(greet, "127.0.0.1", int(port))
    bound = server.sockets[0].getsockname()[1]
    ready = {
        "ready": True,
        "port": bound,
        "endpoint": f"http://127.0.0.1:{bound}",
        "management_port": bound,
    }
    sys.stdout.write(("nonsense" if "nonsense" in habits else json.dumps(ready)) + "\n")
    sys.stdout.flush()
    await stop.wait()


if __name__ == "__main__":
    if "fails" in habits:
        sys.exit("there is no room for me")
    asyncio.run(main())
