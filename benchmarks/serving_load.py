"""A load generator in a process of its own: plain sockets, requests made before the clock starts.

    python benchmarks/serving_load.py PORT BODIES --connections 4 --seconds 10 [--rate 50]

Without a rate it is a closed loop: each connection asks again as soon as it is answered. With one,
requests are due at fixed times, and a latency counts from when its request was due. It prints one
JSON line; `generator_share` is the part of a core that it took: near 1, it measures itself.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"


@dataclass
class Seen:
    """What came back."""

    millis: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    degraded: int = 0


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes]:
    """Send one request on an open connection; return status and body."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return status, await reader.readexactly(length)


async def connection(
    port: int, requests: list[bytes], seen: Seen, first: int, step: int, due: float, end: float
) -> None:
    """Ask on one connection until the end; `due` > 0: one request each so many seconds."""
    reader, writer = await asyncio.open_connection(HOST, port)
    number, at = first, time.perf_counter() + due * (first / max(step, 1))
    while True:
        if due:
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
        started = at if due else time.perf_counter()
        if started >= end:
            break
        try:
            status, body = await ask(reader, writer, requests[number % len(requests)])
            if status != 200:
                seen.errors.append(f"{status}: {body[:100]!r}")
            seen.degraded += b'"degraded":true' in body
        except (OSError, asyncio.IncompleteReadError) as error:
            seen.errors.append(f"{type(error).__name__}: {error}")
            reader, writer = await asyncio.open_connection(HOST, port)
        seen.millis.append(1e3 * (time.perf_counter() - started))
        number, at = number + step, at + due
    writer.close()


async def load(port: int, bodies: list[dict[str, object]], options: argparse.Namespace) -> Seen:
    """Ask until time is over."""
    requests = []
    for body in bodies:
        content = json.dumps(body).encode()
        head = f"POST /rank HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        requests.append(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    seen = Seen()
    count, end = options.connections, time.perf_counter() + options.seconds
    due = count / options.rate if options.rate else 0.0
    asking = [connection(port, requests, seen, n, count, due, end) for n in range(count)]
    await asyncio.gather(*asking)
    return seen


def main() -> None:
    """Print what was seen as one JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("bodies", type=Path)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=0.0)
    options = parser.parse_args()
    bodies = json.loads(options.bodies.read_text())
    started, own = time.perf_counter(), time.process_time()
    seen = asyncio.run(load(options.port, bodies, options))
    seconds = time.perf_counter() - started
    print(
        json.dumps(
            {
                "millis": [round(one, 3) for one in seen.millis],
                "errors": seen.errors[:5],
                "failed": len(seen.errors),
                "degraded": seen.degraded,
                "per_second": len(seen.millis) / seconds,
                "generator_share": (time.process_time() - own) / seconds,
            }
        )
    )


if __name__ == "__main__" and len(sys.argv) > 2:
    main()
