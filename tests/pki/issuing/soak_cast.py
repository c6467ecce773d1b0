"""The processes of the kill tests: they plan, sign, revoke, answer and watch for ever, and may be killed at any instant.

What happened is known from outside the database: each process appends to logs that are synced before it goes on.
"""

import contextlib
import ctypes
import datetime as dt
import multiprocessing
import os
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.x509 import ocsp as x509_ocsp
from django.conf import settings
from django.db import connections, transaction

from pki import service
from pki.crl import building
from pki.domain.ocsp_request import CertId
from pki.hsm import Hsm, Signatures
from pki.hsm.module import module
from pki.issuing import claiming, signing
from pki.models import Certificate, CertificateAuthority, Crl
from pki.ocsp import presigning, status
from siths_portal.lib import clock
from tests.forking import until_gone
from tests.killing import between_logins
from tests.pki import orders

POINTS = (
    "pki.plan.before-commit",
    "pki.sign.before-signature",
    "pki.sign.after-signature",
    "pki.sign.after-journal",
    "pki.sign.before-commit",
    "pki.sign.after-commit",
    "pki.revoke.before-commit",
    "pki.revoke.after-commit",
)
CLAIM_SECONDS = 2
UNIT = "organisation:soak"
_SESSIONS = "soak-cast"


class Log:
    """Lines that are on disk before `write` returns. A line that a kill cut short is not read back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def write(self, *words: object) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(self._descriptor, ("\n" + " ".join(map(str, words)) + " .").encode())
        os.fsync(self._descriptor)

    def read(self) -> list[list[str]]:
        if not self._path.exists():
            return []
        lines = self._path.read_text(errors="replace").split("\n")
        return [line.split(" ")[:-1] for line in lines if line.endswith(" .")]


@dataclass(frozen=True)
class Stage:
    """Where the logs of one run lie."""

    folder: Path

    def log(self, name: str) -> Log:
        return Log(self.folder / name)

    @property
    def armed(self) -> Path:
        return self.folder / "armed"


@contextlib.contextmanager
def signatures_logged(stage: Stage) -> Iterator[None]:
    """Logs the certificates that the token is given to sign, before it does: every one that it signed is there."""
    log, sign, sign_many = stage.log("signatures"), Hsm.sign, signing.sign_many

    def logged(self: Hsm, ref, data: bytes, scheme) -> bytes:
        log.write(data.hex())
        return sign(self, ref, data, scheme)

    def many_logged(to_be_signed: list[bytes], signer: signing.Signer, *, until: float) -> Signatures:
        for each in to_be_signed:
            log.write(each.hex())
        return sign_many(to_be_signed, signer, until=until)

    Hsm.sign, signing.sign_many = logged, many_logged
    try:
        yield
    finally:
        Hsm.sign, signing.sign_many = sign, sign_many


def _rows():
    return Certificate.objects.filter(unit_ref=UNIT)


def plan(stage: Stage, rng: random.Random) -> None:
    """Plans cards and single certificates, as long as not too many wait."""
    log = stage.log("planned")
    while True:
        if _rows().filter(status="reserved").count() > 60:
            time.sleep(0.01)
            continue
        person = f"{os.getpid()}.{time.time_ns()}"
        changes = {"subject_ref": f"person:{person}", "carrier_ref": f"carrier:{person}"}
        wanted = [orders.order(profile, **changes) for profile in rng.choice((orders.PERSON_PROFILES, ("function",)))]
        with transaction.atomic(durable=True):
            ids = service.plan_certificates(wanted, actor_ref="client:soak", unit_ref=UNIT)
        log.write(*ids)


def sign(stage: Stage, rng: random.Random) -> None:
    """A `pki` worker."""
    claiming.CLAIM = dt.timedelta(seconds=CLAIM_SECONDS)
    with signatures_logged(stage):
        while True:
            if signing.sign_reserved(limit=rng.randint(1, 20), answers=rng.random() < 0.5) == 0:
                time.sleep(0.01)


def revoke(stage: Stage, rng: random.Random) -> None:
    """Revokes one to four certificates at a time, signed or not, as long as no more than a third of all are."""
    log = stage.log("revoked")
    while True:
        if _rows().filter(status="revoked").count() * 3 > _rows().count():
            time.sleep(0.01)
            continue
        live = list(_rows().filter(status__in=["reserved", "issued"]).order_by("-created_at").values_list("id", flat=True)[:100])
        ids = rng.sample(live, min(len(live), rng.randint(1, 4)))
        if ids:
            revoke_now(ids, rng.choice(("keyCompromise", "superseded", "cessationOfOperation")))
            log.write(*ids)
        time.sleep(rng.uniform(0, 0.1))


def revoke_now(ids, reason: str) -> None:
    with transaction.atomic(durable=True):
        service.plan_revocation(ids, reason=reason, actor_ref="user:soak", received_at=clock.now(), channel="portal")


def answer(_stage: Stage, rng: random.Random) -> None:
    """The sweepers of OCSP answers and CRLs."""
    while True:
        presigning.presign_due(limit=rng.randint(1, 100))
        if rng.random() < 0.1:
            building.publish_online()
        time.sleep(0.01)


def watch(stage: Stage, rng: random.Random) -> None:
    """A relying party that knows what was revoked before it asks. Is never killed; ends when the file `stop` is there."""
    faults, seen, ever = stage.log("faults"), 0, set()
    authorities = {
        row.id: row for row in CertificateAuthority.objects.filter(slug__in=["person-hsaid-3", "person-id-3", "function"])
    }
    while not (stage.folder / "stop").exists():
        revoked = {row.id: row for row in _rows().filter(status="revoked").only("id", "ca_id", "serial", "status_version")}
        for id_ in ever - set(revoked):
            faults.write("no-longer-revoked", id_)
        ever |= set(revoked)
        for row in rng.sample(list(revoked.values()), min(len(revoked), 30)):
            said = told(authorities[row.ca_id], row.serial)
            if said == "GOOD":
                faults.write("good-though-revoked", row.id)
            if said == "REVOKED":
                if not seen:
                    stage.log("seen").write(row.id)
                seen += 1
        for ca in authorities.values():
            for id_ in unlisted(ca, [row for row in revoked.values() if row.ca_id == ca.id]):
                faults.write("not-on-the-crl", id_)
    stage.log("watched").write(seen, len(ever))


def told(ca: CertificateAuthority, serial: str) -> str:
    """What OCSP says of the serial: GOOD, REVOKED, or an empty text while nothing is said."""
    try:
        found = status.answer(CertId("sha256", ca.name_sha256, ca.key_sha256, int(serial, 16)))
    except (status.TryLater, status.Unauthorized):
        return ""
    return x509_ocsp.load_der_ocsp_response(found.der).certificate_status.name


def unlisted(ca: CertificateAuthority, revoked: list[Certificate]) -> list:
    """Ids of revoked rows that the published CRL leaves out although it was drawn after their revocation."""
    found = x509.load_der_x509_crl(building.crl_path(ca).read_bytes())
    number = found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    row = Crl.objects.filter(ca=ca, number=number).first()
    covered = [each for each in revoked if row is not None and each.status_version <= row.status_version]
    return [each.id for each in covered if found.get_revoked_certificate_by_serial_number(int(each.serial, 16)) is None]


CAST: dict[str, Callable[[Stage, random.Random], None]] = {
    "planner": plan,
    "signer-1": sign,
    "signer-2": sign,
    "revoker": revoke,
    "answerer": answer,
}


class Company:
    """The cast, each in a process of its own."""

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self.stage = stage
        self.rng = rng
        self._processes: dict[str, multiprocessing.process.BaseProcess] = {}
        stage.armed.mkdir()
        for name in CAST:
            self.start(name, CAST[name])
        self._watcher = self._fork("watcher", watch)

    def start(self, name: str, role: Callable[[Stage, random.Random], None]) -> None:
        self._processes[name] = self._fork(name, role)

    def _fork(self, name: str, role: Callable[[Stage, random.Random], None]):
        connections.close_all()  # a child must not inherit them
        process = multiprocessing.get_context("fork").Process(
            target=_play, args=(self.stage, name, role, self.rng.getrandbits(64))
        )
        process.start()
        return process

    def kill(self) -> str:
        """Kills one of the cast at this instant, or as soon as no login runs, and says whom."""
        name = self.rng.choice(list(self._processes))
        with between_logins():
            self._processes[name].kill()
        self._bury(name)
        return name

    def kill_at(self, point: str) -> str:
        """Lets the point kill whoever comes to it first, and says whom it met."""
        (self.stage.armed / point).touch()
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline:
            for name, process in self._processes.items():
                if not process.is_alive():
                    self._bury(name)
                    return name
            time.sleep(0.002)
        raise AssertionError(f"nobody came to {point}")

    def _bury(self, name: str) -> None:
        self._processes[name].join()
        code = self._processes[name].exitcode
        assert code == -9, f"{name} ended by itself with {code}: {(self.stage.folder / 'errors').read_text()}"
        self.start(name, CAST[name])

    def end(self) -> None:
        """Kills all but the watcher, which ends by itself."""
        with between_logins():
            for process in self._processes.values():
                process.kill()
                process.join()
        (self.stage.folder / "stop").touch()
        self._watcher.join(150)
        assert self._watcher.exitcode == 0, (self.stage.folder / "errors").read_text()
        until_gone(_SESSIONS)  # till then the sweepers pass over what the killed had locked


def _play(stage: Stage, name: str, role: Callable[[Stage, random.Random], None], seed: int) -> None:
    os.environ |= {"SITHS_FAULT_DIR": str(stage.armed), "PGAPPNAME": _SESSIONS}
    try:
        role(stage, random.Random(seed))
    except BaseException:  # noqa: BLE001  (whatever it is, the test tells it)
        with (stage.folder / "errors").open("a") as file:
            file.write(f"{name}: {traceback.format_exc()}")
        sys.exit(1)


def adopt(ids) -> None:
    """Lets `check` see rows that this process planned."""
    Certificate.objects.filter(id__in=ids).update(unit_ref=UNIT)


RESTARTS = 3


@contextlib.contextmanager
def _signatures_counted() -> Iterator[threading.Semaphore]:
    """A semaphore that each signature raises once it is made."""
    made, original = threading.Semaphore(0), Hsm.sign_all

    def sign_all(self: Hsm, ref, data: list[bytes], scheme, **limits) -> Signatures:
        signatures = original(self, ref, data, scheme, **limits)
        for _ in signatures.made:
            made.release()
        return signatures

    Hsm.sign_all = sign_all
    try:
        yield made
    finally:
        Hsm.sign_all = original


def issue_while_the_token_restarts(stage: Stage, number: int, threads: int, turns: int) -> None:
    """Threads that plan two and sign them, while the module is finalised behind their backs, between two calls.

    After each quarter of all signatures, so that the token always comes back and the last restart is noticed too. What a restart
    postponed is asked for again until it is issued.
    """
    here, faults = module(settings.PKCS11_MODULE, settings.HSM_LOCKING), stage.log("faults")
    claiming.CLAIM = dt.timedelta(seconds=CLAIM_SECONDS)

    def work(thread: int) -> None:
        try:
            for turn in range(turns):
                person = f"person:{number}.{thread}.{turn}"
                ids = orders.plan(*[orders.order(subject_ref=person), orders.order("function", subject_ref=person)])
                adopt(ids)
                stage.log("planned").write(*ids)
                while Certificate.objects.filter(id__in=ids, status="reserved").exists():
                    if signing.sign_reserved(ids, answers=False) == 0:
                        time.sleep(0.02)  # until the circuit closes, or the claim of an attempt that may have signed has run out
        except Exception as error:  # noqa: BLE001  (whatever it is, the test tells it)
            faults.write(repr(error))
        finally:
            connections.close_all()

    def restart(made: threading.Semaphore) -> None:
        for _ in range(RESTARTS):
            for _ in range(threads * turns * 2 // (RESTARTS + 1)):
                assert made.acquire(timeout=300), "the token does not come back"
            with here._lock.exclusive():
                ctypes.CDLL(settings.PKCS11_MODULE).C_Finalize(None)

    with signatures_logged(stage), _signatures_counted() as made, ThreadPoolExecutor(threads + 1) as pool:
        restarting = pool.submit(restart, made)
        list(pool.map(work, range(threads)))
        restarting.result()
    stage.log("restarts").write(here.generation)
