"""A client that asks at an even pace, whatever the server does, and says how long answers took from when they were to be asked.

Arguments: host, port, the requests' file as for `tests.bench.load`, requests a second, seconds. Prints a line of JSON: how many
were asked, how many answers were `tryLater` and how many neither that nor `successful`, and milliseconds: the median, the 99th
percentile and the longest.
"""

import json
import random
import socket
import statistics
import sys
import threading
import time

THREADS = 16


def request(host: str, body: bytes) -> bytes:
    """The bytes of a POST."""
    head = f"POST /ocsp HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/ocsp-request\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answered(connection: socket.socket) -> bytes:
    """The body of one answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += _more(connection)
    return body if head.startswith(b"HTTP/1.1 200 ") else b""


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionError("closed")
    return data


TRY_LATER = bytes.fromhex("30030a0103")


def successful(body: bytes) -> bool:
    """Whether the OCSPResponse's status is `successful`."""
    return body[:1] == b"\x30" and b"\x0a\x01\x00" in body[2:8]


def ask(address: tuple[str, int], requests: list[bytes], moments: list[float], took: list[float], wrong: list[bytes]) -> None:
    """Asks at each of the moments over one connection."""
    connection = socket.create_connection(address, timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for moment in moments:
        time.sleep(max(0.0, moment - time.perf_counter()))
        connection.sendall(random.choice(requests))
        body = answered(connection)
        took.append((time.perf_counter() - moment) * 1000)
        if not successful(body):
            wrong.append(body)
    connection.close()


def main() -> None:
    host, port, file, rate, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), float(sys.argv[5])
    with open(file) as lines:  # noqa: PTH123
        requests = [request(host, bytes.fromhex(line[2:])) for line in lines]
    took: list[float] = []
    wrong: list[bytes] = []
    start, count = time.perf_counter() + 0.2, int(rate * seconds)
    turns = [[start + number / rate for number in range(first, count, THREADS)] for first in range(THREADS)]
    threads = [threading.Thread(target=ask, args=((host, port), requests, turn, took, wrong)) for turn in turns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ranks = statistics.quantiles(took, n=100)
    later = wrong.count(TRY_LATER)
    told = {"asked": len(took), "later": later, "wrong": len(wrong) - later + count - len(took)}
    print(json.dumps(told | {"p50": ranks[49], "p99": ranks[98], "longest": max(took)}))


if __name__ == "__main__":
    main()
