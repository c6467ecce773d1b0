"""One `pki` worker process of the issuance benchmark: reads commands from stdin and answers on stdout, a line of JSON each.

With the name of a ceremony file it follows that instead, and ends.

Time spent in the token and in the database is taken here, around the calls, so the product carries no stop-watches.
"""

import datetime as dt
import functools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import batched
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
django.setup()

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.backends.utils import CursorWrapper  # noqa: E402

from pki import service  # noqa: E402
from pki.authorities.queries import issuer_of  # noqa: E402
from pki.ceremonies import execution  # noqa: E402
from pki.domain import keys  # noqa: E402
from pki.hsm import Hsm, Scheme, hsm_for  # noqa: E402
from pki.issuing import signing  # noqa: E402
from pki.models import CertificateAuthority  # noqa: E402
from siths_portal.lib import clock  # noqa: E402

MESSAGE = b"x" * 1200  # about a TBSCertificate
SPENT = {"token": 0.0, "database": 0.0}


def timed[**P, T](where: str, function: Callable[P, T]) -> Callable[P, T]:
    @functools.wraps(function)
    def wrapped(*arguments: P.args, **named: P.kwargs) -> T:
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            SPENT[where] += time.perf_counter() - started

    return wrapped


def watch() -> None:
    """Puts stop-watches around signatures, statements, copies and commits; keeps no record of statements, as in production."""
    settings.DEBUG = False
    Hsm.sign_digest = timed("token", Hsm.sign_digest)  # type: ignore[method-assign]
    Hsm.sign_all = timed("token", Hsm.sign_all)  # type: ignore[method-assign]
    connection.ensure_connection()
    connection.execute_wrappers.append(
        lambda execute, sql, params, many, context: timed("database", execute)(sql, params, many, context)
    )
    # COPY goes past the wrappers.
    CursorWrapper.copy_expert = timed("database", lambda self, sql, file: self.cursor.copy_expert(sql, file))  # type: ignore[attr-defined]
    connection._commit = timed("database", connection._commit)  # type: ignore[method-assign]


def orders(ca: str, profiles: list[str], count: int) -> Iterator[service.CertificateOrder]:
    """Orders for the cards of `count` / 2 people, each key a new P-256 one."""
    from tests.pki import orders as samples

    empty = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    end = clock.now() + dt.timedelta(days=700)
    for number in range(count):
        request = empty.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        person = f"{os.getpid()}.{time.time_ns()}.{number // 2}"
        yield samples.order(
            profiles[number % 2],
            ca=ca,
            csr_der=request.public_bytes(serialization.Encoding.DER),
            subject_ref=f"person:{person}",
            carrier_ref=f"carrier:{person}",
            not_after=end,
        )


class Worker:
    """What the parent may ask for."""

    def __init__(self) -> None:
        self._stock: list[service.CertificateOrder] = []

    def prepare(self, ca: str, profiles: list[str], count: int) -> dict[str, Any]:
        """Makes the orders that the next `issue` takes."""
        self._stock = list(orders(ca, profiles, count))
        return {}

    def raw(self, ca: str, seconds: float) -> dict[str, Any]:
        """Signatures with the CA's key and nothing else; `cpu` is the seconds of each."""
        row = CertificateAuthority.objects.get(slug=ca)
        family = "rsa" if keys.kind(issuer_of(row).public_key) == "rsa" else "ecdsa"
        token, scheme = hsm_for(row.token_label), Scheme(f"{family}-sha256")
        token.sign(row.key_id, MESSAGE, scheme)
        done, cpu, started = 0, time.process_time(), time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            token.sign(row.key_id, MESSAGE, scheme)
            done += 1
        return {"rate": done / elapsed, "cpu": (time.process_time() - cpu) / done}

    def issue(self, seconds: float, batch: int, answers: bool) -> dict[str, Any]:
        """Plans, signs and stores what is in stock, `batch` certificates at a time, for as long as `seconds`."""
        SPENT.update(token=0.0, database=0.0)
        done, cpu, started = 0, time.process_time(), time.perf_counter()
        elapsed = 0.0
        for part in batched(self._stock, batch):
            with transaction.atomic():
                ids = service.plan_certificates(part, actor_ref="client:bench", unit_ref="organisation:bench")
            done += signing.sign_reserved(ids, limit=batch, answers=answers)
            if (elapsed := time.perf_counter() - started) >= seconds:
                break
        cpu = time.process_time() - cpu
        self._stock = []
        return {"rate": done / elapsed, "issued": done, "cpu": cpu / elapsed} | {k: v / elapsed for k, v in SPENT.items()}


def main() -> None:
    if len(sys.argv) > 1:
        from tests.pki_fixtures import approved

        execution.perform(approved(Path(sys.argv[1]).read_bytes()))
        return
    worker = Worker()
    watch()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(getattr(worker, command.pop("do"))(**command)), flush=True)


if __name__ == "__main__":
    main()
