"""The supplier of the intake benchmark, as one cheap process: it takes orders from *queued* to *sent* by batches over mutual TLS.

Arguments: host, port, certificate, key, the issuer of the server's certificate, the plan that `supplier_plan` wrote. Takes
commands as lines of JSON on stdin (see `processes.Workers`): `run`, with the `first` order of the plan and the `count` of them,
the size of a `batch`, the number of `connections`, the `rate` of cards a second (0: as fast as it goes), and whether to `repeat`
calls that got no answer. Answers with the seconds, the number of calls, that of repeated ones and the errors.
"""

import http.client
import json
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path
from typing import Any
from uuid import uuid4

API = "/api/supplier/v1/"
TIMEOUT = 60.0
PATIENCE = 120.0
"""Seconds within which certificates must be signed and a PUK sealed."""

PAUSE = 0.1
UNANSWERED = {502, 503, 504}
"""Statuses after which the same call is repeated with the same key; also 409 while its first attempt is in progress."""


class Refused(Exception):
    """An answer that does not lead on."""


@dataclass
class Run:
    """What the connections of a run share."""

    begins: float
    rate: float
    batches: list[tuple[float, Sequence[dict[str, Any]]]] = field(default_factory=list)
    """Each batch with its moment after the beginning, the last first."""
    repeat: bool = False
    calls: int = 0
    repeated: int = 0
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> Sequence[dict[str, Any]]:
        """Returns the next batch at its moment, or nothing."""
        with self.lock:
            if not self.batches:
                return ()
            moment, orders = self.batches.pop()
        time.sleep(max(0.0, self.begins + moment - time.perf_counter()))
        return orders


class Supplier:
    """One kept connection."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext, run: Run) -> None:
        self.connection = http.client.HTTPSConnection(*address, timeout=TIMEOUT, context=context)
        self.run = run

    def work(self) -> None:
        """Takes batches until there is none."""
        try:
            while orders := self.run.take():
                self.make({order["order"]: order for order in orders})
        except (Refused, OSError, http.client.HTTPException) as error:
            self.run.errors.append(f"{type(error).__name__}: {error}")
        finally:
            self.connection.close()

    def make(self, orders: dict[str, dict[str, Any]]) -> None:
        """Takes orders from *queued* to *sent*, as a supplier that keeps what it needs to print."""
        self.batch("accept", [{"order": id_} for id_ in orders])
        for id_ in orders:
            if not self.call("GET", f"orders/{id_}")[1]["print"]:
                raise Refused("no print")
        results = self.batch("certificates", [{"order": id_, "body": each["card"]} for id_, each in orders.items()])
        for id_, result in zip(orders, results, strict=True):
            if result["status"] == 202:
                self.until(f"orders/{id_}/certificates", lambda status, _body: status == 200)
        for report in ("produced", "sent"):
            self.batch("events", [{"order": id_, "body": each[report]} for id_, each in orders.items()])
        for id_ in orders:
            self.until(f"orders/{id_}", lambda _status, body: body["status"] == "sent")

    def batch(self, what: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Sends a batch and returns its results. Raises Refused if an entry is refused."""
        _, body = self.call("POST", f"batch/{what}", {"entries": entries})
        for result in body["results"]:
            if result["status"] >= 300:
                raise Refused(f"{what}: {result['status']} {result['body'].get('code')}")
        return list(body["results"])

    def until(self, path: str, done: Any) -> None:
        """Asks until `done` says so of status and body."""
        ends = time.perf_counter() + PATIENCE
        while not done(*self.call("GET", path)):
            if time.perf_counter() > ends:
                raise Refused(f"{path}: not done")
            time.sleep(PAUSE)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Returns status and body. Raises Refused for a status of 400 or higher, unless the call is repeated."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid4().hex} if body is not None else {}
        ends = time.perf_counter() + PATIENCE
        status, read = self._once(method, path, body, headers)
        while self.run.repeat and _is_unanswered(status, read) and time.perf_counter() < ends:
            self.run.repeated += 1
            time.sleep(PAUSE)
            status, read = self._once(method, path, body, headers)
        if status >= 400:
            raise Refused(f"{method} {path.split('/')[0]}: {status} {read[:200]!r}")
        return status, json.loads(read) if read else None

    def _once(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, bytes]:
        self.connection.request(method, API + path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        self.run.calls += 1
        return answer.status, answer.read()


def _is_unanswered(status: int, read: bytes) -> bool:
    return status in UNANSWERED or (status == 409 and json.loads(read).get("code") == "request-in-progress")


def run(address: tuple[str, int], context: ssl.SSLContext, plan: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, Any]:
    """Lets the asked number of connections work on the plan, and returns what it took."""
    batch, rate = asked["batch"], asked["rate"]
    batches = [(number * batch / rate if rate else 0.0, orders) for number, orders in enumerate(batched(plan, batch))]
    shared = Run(time.perf_counter(), rate, batches[::-1], asked.get("repeat", False))
    threads = [threading.Thread(target=Supplier(address, context, shared).work) for _ in range(asked["connections"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "seconds": time.perf_counter() - shared.begins,
        "calls": shared.calls,
        "repeated": shared.repeated,
        "errors": shared.errors,
    }


def main(host: str, port: str, certificate: str, key: str, ca: str, file: str) -> None:
    """Answers commands until their end."""
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)
    plan = [json.loads(line) for line in Path(file).read_text().splitlines()]
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        chosen = plan[asked["first"] : asked["first"] + asked["count"]]
        print(json.dumps(run((host, int(port)), context, chosen, asked)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
