"""A process of the OCSP benchmarks that does what the `pki` worker and those who revoke do: reads commands from stdin, a line of
JSON each, and answers on stdout. Revoking goes on in a thread between `begin` and `end`.
"""

import datetime as dt
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
django.setup()

from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.x509 import ocsp as x509_ocsp  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models import QuerySet  # noqa: E402

import siths_portal.celery  # noqa: E402, F401  (what wakes workers: a process that revokes has loaded it)
from pki import service  # noqa: E402
from pki.models import Certificate, CertificateAuthority  # noqa: E402
from pki.ocsp import presigning  # noqa: E402
from pki.ocsp import unknown as ocsp_unknown  # noqa: E402
from pki.ocsp.publishing import LOOK_EACH  # noqa: E402
from siths_portal.lib import clock  # noqa: E402

HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}
SIGN_EACH = 0.2  # seconds between the signer's turns; for what was never issued the publisher wakes it once a look


def request(ca: CertificateAuthority, name: str, serial: int) -> str:
    """A line for the file of requests."""
    names, keys = (bytes.fromhex(getattr(ca, f"{which}_{name}")) for which in ("name", "key"))
    builder = x509_ocsp.OCSPRequestBuilder().add_certificate_by_hash(names, keys, serial, HASHES[name])
    return "P " + builder.build().public_bytes(serialization.Encoding.DER).hex()


def holders(ca: str) -> "QuerySet[Certificate]":
    """The live certificates that the benchmark made; not the responder's."""
    return Certificate.objects.filter(ca__slug=ca, status="issued", profile_version=None)


class Worker:
    """What the parent may ask for."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._revoked: list[UUID] = []
        self._seconds = 0.0

    def presign(self, ca: str) -> dict[str, Any]:
        """Signs all answers of the CA."""
        return {"signed": presigning.presign_all(CertificateAuthority.objects.get(slug=ca))}

    def requests(self, ca: str, known: str, unknown: str, drawn: str, count: int) -> dict[str, Any]:
        """Writes the files: of all live serials by both hashes, of `count` serials that were never issued, and one to draw by."""
        row = CertificateAuthority.objects.get(slug=ca)
        serials = holders(ca).values_list("serial", flat=True)
        lines = [request(row, name, int(serial, 16)) for serial in serials.iterator() for name in HASHES]
        Path(known).write_text("\n".join(lines))
        never = [request(row, name, (0x7F << 112) + number) for number in range(count) for name in HASHES]
        Path(unknown).write_text("\n".join(never))
        Path(drawn).write_text("\n".join("R" + each[1:] for each in never[:2]))
        return {"known": len(lines)}

    def begin(self, ca: str, each_second: int) -> dict[str, Any]:
        """Begins to revoke certificates one by one, and to sign what follows; the newest first."""
        ids = list(holders(ca).order_by("-id").values_list("id", flat=True)[:20_000])  # more than a run takes
        self._stop.clear()
        self._thread = threading.Thread(target=self._revoke, args=(ids, each_second))
        self._thread.start()
        return {}

    def end(self) -> dict[str, Any]:
        """Ends it; what was revoked, by requests, and in how many seconds."""
        assert self._thread is not None
        self._stop.set()
        self._thread.join()
        rows = {row.id: row for row in Certificate.objects.filter(id__in=self._revoked).select_related("ca")}
        found = [rows[id_] for id_ in self._revoked]
        revoked = [{"request": request(row.ca, "sha256", int(row.serial, 16))[2:]} for row in found]
        return {"revoked": revoked, "seconds": self._seconds}

    def _revoke(self, ids: list[UUID], each_second: int) -> None:
        self._revoked, waiting = [], []
        began = signed_at = asked_at = time.monotonic()
        while not self._stop.is_set():
            now = time.monotonic()
            due = began + len(self._revoked) / each_second
            if now >= due:
                id_ = ids[len(self._revoked)]
                with transaction.atomic(durable=True):
                    service.plan_revocation(
                        [id_], reason="superseded", actor_ref="user:bench", received_at=clock.now(), channel="portal"
                    )
                waiting.append(id_)
                self._revoked.append(id_)
            if now - signed_at >= SIGN_EACH:
                presigning.presign(waiting)
                waiting, signed_at = [], now
            if now - asked_at >= LOOK_EACH:
                ocsp_unknown.sign()
                asked_at = now
            due = began + len(self._revoked) / each_second
            self._stop.wait(max(0.0, min(due, signed_at + SIGN_EACH, asked_at + LOOK_EACH) - time.monotonic()))
        self._seconds = time.monotonic() - began
        presigning.presign(waiting)
        connection.close()

    def revoke_at_once(self, ca: str, count: int) -> dict[str, Any]:
        """Revokes so many in one act, and signs their answers."""
        began = time.monotonic()
        ids = list(holders(ca).order_by("id").values_list("id", flat=True)[:count])
        with transaction.atomic(durable=True):
            service.plan_revocation(ids, reason="superseded", actor_ref="user:bench", received_at=clock.now(), channel="portal")
        presigning.presign(ids)
        return {"revoked": len(ids), "seconds": time.monotonic() - began}


def main() -> None:
    settings.DEBUG = False  # keeps no record of statements, as in production
    worker = Worker()
    print(json.dumps({"ready": dt.datetime.now(dt.UTC).isoformat()}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(getattr(worker, command.pop("do"))(**command)), flush=True)


if __name__ == "__main__":
    main()
