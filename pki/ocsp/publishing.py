"""Publishes the OCSP store (rules/pki 5.1, 5.2): copies from the database to the files that the responder serves.

It needs no token. One run reads in one snapshot of the database which certificates have no response for their current status, and
which responses are new; then it writes them. So within one run of its commit, every process of the responder serves a revocation,
as `tryLater` until its response is signed. Without a publisher the responder serves what it has, and reports it.
"""

import json
import time
from pathlib import Path
from typing import Self
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from pki.ocsp import feed as ocsp_feed
from pki.ocsp import unknown as ocsp_unknown
from pki.ocspd import layout, refresh_requests, routing
from pki.ocspd.writing import Writer
from siths_portal.lib import clock
from siths_portal.lib.database import plans
from siths_portal.lib.files.atomic import write_atomically
from siths_portal.lib.monitoring import metrics
from siths_portal.lib.processes import jobs

log = structlog.get_logger(__name__)

LOOK_EACH = 0.5
"""Seconds between looks."""
RELOAD_EACH = 86_400.0
"""Seconds after which the whole store is compared with the database again."""
ANSWERS_AT_ONCE = 200
"""Certificates per task whose responses the readers of the store requested."""

_POSITION = "position.json"
_FOLLOWED = metrics.gauge("ocsp_store_followed_seconds", "When the OCSP store last followed the database", mode="mostrecent")
_RECORDS = metrics.gauge("ocsp_store_records", "Serials in the OCSP store", mode="mostrecent")


class Publisher:
    """Keeps one store up to date. Use as a context manager; raises StoreLocked while another process writes the store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = Writer(folder)
        (folder / refresh_requests.FOLDER).mkdir(exist_ok=True)
        self._position: ocsp_feed.Snapshot | None = self._remembered() if self.writer.found else None
        self._loaded_at = time.monotonic()
        self._walk: UUID | None = None
        self._held: dict[int, int] = {}
        self._routes = b""
        self._unknown = {record.key: record.next_update for record in self.writer.unknown()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.writer.close()

    def _remembered(self) -> ocsp_feed.Snapshot | None:
        try:
            return ocsp_feed.Snapshot.from_text(json.loads((self.folder / _POSITION).read_bytes())["snapshot"])
        except (OSError, ValueError, KeyError):
            return None

    def look(self) -> int:
        """Updates the store to what is committed now; returns how many records changed.

        The first run, and one each day, compares everything. Raises OperationalError, InterfaceError.
        """
        started, moment = time.monotonic(), clock.now().timestamp()
        whole = self._position is None or started - self._loaded_at > RELOAD_EACH
        with transaction.atomic(durable=True):
            snapshot = ocsp_feed.Snapshot.current(lasts=True)
            if self._position is not None and snapshot.end < self._position.end:
                log.error("ocsp_store.another_database")  # an older copy: its snapshot does not tell what is new
                whole = True
            since = None if whole else self._position
            answered = self._publish_routes()
            if whole:
                self.writer.grow(ocsp_feed.count())
            # Remove outdated records first.
            with plans.only_indexed():
                pending, walk = ocsp_feed.pending(self._walk)
                on_hold, held = ocsp_feed.held(answered, {} if whole else self._held)
            changed = sum([self.writer.put(record) for record in [*pending, *on_hold]])
            changed += sum([self.writer.put(record) for record in ocsp_feed.answers(since)])
            for record in ocsp_feed.unknown(since):
                if self.writer.put(record):
                    self._unknown[record.key] = record.next_update
                    changed += 1
        self._walk, self._held = walk, held
        self._forget(int(moment))
        if whole:
            self._loaded_at = started
            self.writer.finish_load()
            log.info("ocsp_store.loaded", records=self.writer.count, seconds=round(time.monotonic() - started, 1))
        self._remember(snapshot, anew=bool(changed) or whole)
        self.writer.followed(moment)
        _FOLLOWED.set(moment)
        _RECORDS.set(self.writer.count)
        return changed

    def _publish_routes(self) -> list[int]:
        """Publishes the list of CAs, and returns the CAs whose responses are signed here."""
        authorities = ocsp_feed.authorities()
        routes = json.dumps(authorities).encode()
        if routes != self._routes:
            write_atomically(self.folder / routing.FILE, routes)
            self._routes = routes
        return [each["id"] for each in authorities if each["signs"]]

    def _forget(self, now: int) -> None:
        """Removes signed `unknown` records that expired, and those signed while the clock was ahead."""
        last = now + int(ocsp_unknown.AHEAD.total_seconds())
        for key in [key for key, end in self._unknown.items() if not now < end <= last]:
            del self._unknown[key]
            record = self.writer.get(key)
            if record is not None and record.state == layout.UNKNOWN:
                self.writer.remove(key)

    def _remember(self, snapshot: ocsp_feed.Snapshot, *, anew: bool) -> None:
        """Keeps the position; writes it to disk only if records were written, because reading a row twice does no harm."""
        self._position = snapshot
        if anew:
            write_atomically(self.folder / _POSITION, json.dumps({"snapshot": snapshot.text}).encode())

    def grant(self) -> int:
        """Queues the readers' requests for the signer; returns how many were accepted."""
        requests = list(dict.fromkeys(refresh_requests.take(self.folder)))
        if not requests:
            return 0
        asked = {(request.ca_id, request.serial) for request in requests if not request.unknown}
        ids = [str(id_) for id_ in ocsp_feed.certificates(asked, stored=True).values()][:ANSWERS_AT_ONCE]
        if ids:
            jobs.enqueue("pki.presign", queue="pki", certificate_ids=ids)
        unknown = [(request.ca_id, request.serial) for request in requests if request.unknown]
        return len(ids) + ocsp_unknown.ask(unknown[: ocsp_unknown.EACH_TURN])

    def turn(self) -> None:
        """Runs `look` and `grant`. Logs a database error; the next turn tries again."""
        try:
            self.look()
            self.grant()
        except (OperationalError, InterfaceError) as error:
            log.error("ocsp_store.database_unavailable", error=type(error).__name__)
            connection.close()
