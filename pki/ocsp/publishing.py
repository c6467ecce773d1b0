"""The publisher of the OCSP store (rules/pki 5.1, 5.2): follows the database into files that the responder answers from.

It needs no token. One look reads, in one snapshot of the database, which certificates have a status that no answer tells of,
and which answers are new; then it writes. So a revocation shows within a look of its commit in every process of the responder,
as `tryLater` until its answer is signed. Without a publisher the responder goes on with what it has, and says so.
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
"""Seconds after which everything is compared anew, whatever was followed."""
ANSWERS_AT_ONCE = 200
"""How many certificates' answers are asked for at once on relying parties' wishes."""

_POSITION = "position.json"
_FOLLOWED = metrics.gauge("ocsp_store_followed_seconds", "When the OCSP store last followed the database", mode="mostrecent")
_RECORDS = metrics.gauge("ocsp_store_records", "Serials in the OCSP store", mode="mostrecent")


class Publisher:
    """Keeps one store. Use as a context; raises Taken while another does."""

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
        """Brings the store up to what is committed now; returns how many records changed.

        Raises OperationalError, InterfaceError. The first look, and one each day, compares everything.
        """
        started, moment = time.monotonic(), clock.now().timestamp()
        whole = self._position is None or started - self._loaded_at > RELOAD_EACH
        with transaction.atomic(durable=True):
            snapshot = ocsp_feed.Snapshot.current(lasts=True)
            if self._position is not None and snapshot.end < self._position.end:
                log.error("ocsp_store.another_database")  # a copy from a time before: its numbers say nothing of what is new
                whole = True
            since = None if whole else self._position
            answered = self._publish_routes()
            if whole:
                self.writer.grow(ocsp_feed.count())
            # What is no longer true goes first.
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
        """Publishes the list of CAs, and returns those for which answers are signed."""
        authorities = ocsp_feed.authorities()
        routes = json.dumps(authorities).encode()
        if routes != self._routes:
            write_atomically(self.folder / routing.FILE, routes)
            self._routes = routes
        return [each["id"] for each in authorities if each["signs"]]

    def _forget(self, now: int) -> None:
        """Removes signed `unknown` that ended, and what a clock that was ahead signed."""
        last = now + int(ocsp_unknown.AHEAD.total_seconds())
        for key in [key for key, end in self._unknown.items() if not now < end <= last]:
            del self._unknown[key]
            record = self.writer.get(key)
            if record is not None and record.state == layout.UNKNOWN:
                self.writer.remove(key)

    def _remember(self, snapshot: ocsp_feed.Snapshot, *, anew: bool) -> None:
        """Keeps the position; on disk only if something was written, since to read something twice is harmless."""
        self._position = snapshot
        if anew:
            write_atomically(self.folder / _POSITION, json.dumps({"snapshot": snapshot.text}).encode())

    def grant(self) -> int:
        """Hands relying parties' wishes to the signer, by the queue; returns how many are taken up."""
        wishes = list(dict.fromkeys(refresh_requests.take(self.folder)))
        if not wishes:
            return 0
        asked = {(wish.ca_id, wish.serial) for wish in wishes if not wish.unknown}
        ids = [str(id_) for id_ in ocsp_feed.certificates(asked, stored=True).values()][:ANSWERS_AT_ONCE]
        if ids:
            jobs.enqueue("pki.presign", queue="pki", certificate_ids=ids)
        unknown = [(wish.ca_id, wish.serial) for wish in wishes if wish.unknown]
        return len(ids) + ocsp_unknown.ask(unknown[: ocsp_unknown.EACH_TURN])

    def turn(self) -> None:
        """One look and the wishes. A database that does not answer is told in the log, and asked again the next time."""
        try:
            self.look()
            self.grant()
        except (OperationalError, InterfaceError) as error:
            log.error("ocsp_store.database_unavailable", error=type(error).__name__)
            connection.close()
