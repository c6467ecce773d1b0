"""Health checks of the PKI (rules/pki 8.2): for `pki_check`, for graphs, and for readiness of the worker."""

import datetime as dt
import os
from collections.abc import Iterator

import structlog
from django.conf import settings
from django.db.models import Min

from pki.authorities import clock_guard, journal
from pki.custodians import asking, held
from pki.domain.findings import Finding, Severity, finding
from pki.health import authority_checks, installation_checks, reports, response_times, samples
from pki.health.limits import (
    CLOCKS_APART,
    JOURNAL_LOW,
    JOURNAL_STOPS,
    MAC_WAIT,
    SEAL_WAIT,
    SIGNING_SLOW,
    SIGNING_STOPPED,
    STORE_GIVEN_UP,
    STORE_LATE,
    VERIFIED_AGE,
)
from pki.hsm import Algorithm, HsmError, KeyRef, hsm_for
from pki.issuing import reconciling
from pki.models import (
    CardReconciliation,
    CaState,
    Certificate,
    CertificateAuthority,
    CertificateStatus,
    Event,
    EventMacs,
    EventSeal,
    HsmKey,
    KeyInventory,
    KeyPurpose,
)
from pki.operators.status import status_of_store
from pki.revocation import releasing
from pki.takeover import foreign_crls
from siths_portal.lib import clock
from siths_portal.lib.audit import traversal
from siths_portal.lib.database import feeds
from siths_portal.lib.files import journal as files_journal
from siths_portal.lib.monitoring import metrics

log = structlog.get_logger(__name__)

INVENTORY_AGE = dt.timedelta(days=2)  # made daily
RECONCILED_AGE = dt.timedelta(days=2)  # compared daily
CUSTODIANS = "nyckelhållare"
"""The subject of the finding about the start by two."""

_STATE = metrics.gauge("pki_health", "0 as it should be, 1 look at it, 2 wrong", ["subject"], mode="mostrecent")
_VALUE = metrics.gauge("pki_health_value", "The number that was judged", ["subject", "measure"], mode="mostrecent")


def check_all() -> list[Finding]:
    """Runs every check, the token's first, and returns the findings. Never raises for a fault; needs the token's PIN."""
    authorities = [*authority_checks.inspect(), *foreign_crls.watched()]
    waiting = [signing(), releasing.watched(), *keys(), *cards()]
    events = [*audit_chain(), *verified_chains()]
    installation = [*installation_checks.inspect(), *response_times.judged(response_times.counted(), samples.last_responses())]
    return [*custodians(), token(), *authorities, *waiting, journalled(), *events, *responder(), the_clock(), *installation]


def measure() -> list[Finding]:
    """Runs every check, sets the metrics, stores the operators' page and its curves and logs the faults; returns the findings."""
    found = check_all()
    reports.keep(found)
    seen = status_of_store()
    answered = sum(each.answered for each in seen.processes) if seen and seen.processes else None
    samples.keep(found, ocsp_answers=answered, responses=response_times.counted())
    for each in found:
        show(each)
        if not each.ok:
            log.error("pki.unhealthy", subject=each.subject, text=each.text)
    return found


def show(found: Finding) -> None:
    """Sets the metrics of a finding."""
    _STATE.labels(found.subject).set(int(found.severity))
    if found.measure:
        _VALUE.labels(found.subject, found.measure).set(found.value)


def custodians() -> Iterator[Finding]:
    """Yields whether the `pki` worker has both shares of the PIN; in development nothing if it starts without custodians.

    A process without the shares, such as `pki_check`, asks the worker of its machine.
    """
    if not settings.PKI_START_BY_TWO:
        if not (settings.DEBUG or os.environ.get("SITHS_TEST_ROOT")):
            yield Finding(CUSTODIANS, Severity.WARNING, "PIN-koden läses ur en fil: en person ensam kan starta signering")
        return
    if held.is_complete():
        yield finding(CUSTODIANS, True, "båda nyckelhållarna har angett sina delar")
        return
    try:
        seen = asking.status(settings.PKI_SHARE_SOCKET)
    except asking.NobodyAnswers as nobody:
        yield finding(CUSTODIANS, False, str(nobody))
    else:
        yield finding(CUSTODIANS, seen.complete, seen.text)


def token() -> Finding:
    """Checks that the issuing token signs with its probe key and the signature verifies. The first ceremony makes the key."""
    subject = f"token {settings.PKCS11_TOKEN}"
    if held.waits():
        return Finding(subject, Severity.WARNING, "provas inte utan nyckelhållare; kör kommandot med pki_with_shares")
    row = HsmKey.objects.filter(purpose=KeyPurpose.HEALTH, token_label=settings.PKCS11_TOKEN, retired_at=None).first()
    hsm = hsm_for(settings.PKCS11_TOKEN)
    try:
        if row is None:
            hsm.health()
            if not CertificateAuthority.objects.exists():
                return finding(subject, True, "svarar; den första ceremonin gör provnyckeln")
            return Finding(subject, Severity.WARNING, "svarar, men provnyckeln saknas; kör pki_ceremony")
        hsm.prove(KeyRef(row.key_id, row.label, Algorithm(row.algorithm), bytes(row.public_key_der)))
    except HsmError as error:
        return finding(subject, False, f"HSM svarar inte ({type(error).__name__})")
    except ValueError:
        return finding(subject, False, "provnyckelns rad i nyckelregistret är skadad")
    return finding(subject, True, "provnyckeln signerar och signaturen stämmer")


def signing() -> Finding:
    """Checks how long the oldest certificate has been reserved and not issued, without those of ceremonies."""
    waiting = Certificate.objects.filter(status=CertificateStatus.RESERVED)
    waiting = waiting.exclude(ca__state__in=[CaState.PLANNED, CaState.OFFLINE])
    oldest = waiting.aggregate(oldest=Min("created_at"))["oldest"]
    if oldest is None:
        return finding("signering", True, "inget certifikat väntar", measure="seconds")
    age = clock.now() - oldest
    severity = Severity.OK if age < SIGNING_SLOW else Severity.WARNING if age < SIGNING_STOPPED else Severity.ERROR
    text = f"det äldsta reserverade certifikatet har väntat {age.total_seconds():.0f} s"
    return Finding("signering", severity, text, "seconds", age.total_seconds())


def keys() -> Iterator[Finding]:
    """Yields the result of the newest inventory of keys; before the first, whether it is late."""
    newest = KeyInventory.newest()
    if newest is None:
        first = HsmKey.objects.aggregate(first=Min("created_at"))["first"]
        yield Finding("nyckelinventering", _first_is_late(first, INVENTORY_AGE), "ingen är gjord än")
        return
    report = newest.report()
    age = clock.now() - report.ended_at
    text = f"{len(report.problems)} avvikelser för {age.total_seconds() // 3600:.0f} timmar sedan"
    yield finding("nyckelinventering", report.ok and age < INVENTORY_AGE, text, measure="count", value=len(report.problems))


def cards() -> Iterator[Finding]:
    """Yields the result of the newest comparisons of certificates on cards with their orders, if there is one."""
    done = CardReconciliation.objects.exclude(ended_at=None).order_by("-started_at").first()
    newest = reconciling.latest()
    if done is None or newest is None:
        return
    found, age = max(done.found, newest.found), clock.now() - done.started_at
    severity = Severity.ERROR if found else Severity.WARNING if age > RECONCILED_AGE else Severity.OK
    hours = age.total_seconds() // 3600
    text = f"{found} av {done.compared} certifikat saknade beställning eller kvittens för {hours:.0f} timmar sedan"
    yield Finding("kortcertifikat", severity, text, "count", found)


def audit_chain() -> Iterator[Finding]:
    """Checks how far sealing and MACs of `pki`'s own events are behind."""
    seal = EventSeal.objects.order_by("-seq").first()
    after = traversal.beyond(Event, feeds.Cursor(seal.event_xid, seal.event_id) if seal else feeds.START)
    yield _lag("händelsesigill", after.aggregate(oldest=Min("at"))["oldest"], SEAL_WAIT, "ingen händelse väntar på sigill")
    block = EventMacs.objects.order_by("-first").first()
    following = EventSeal.objects.filter(seq=block.last + 1 if block else 1).first()
    event = Event.objects.filter(id=following.event_id).first() if following else None
    yield _lag("MAC", event.at if event else None, MAC_WAIT, "inget sigill väntar på MAC")


def verified_chains() -> Iterator[Finding]:
    """Yields the last verification of each application's chain and of the signed heads.

    A partial verification does not replace a failed complete one. Before the first verification, yields whether it is late.
    """
    whole, newest = ({each.chain: each for each in reports.audit_checks(whole=part)} for part in (True, False))
    if not newest:
        first = Event.objects.order_by("id").values_list("at", flat=True).first()
        yield Finding("händelsekedja", _first_is_late(first, VERIFIED_AGE), "ingen kedja är genomgången än")
    for chain, last in newest.items():
        shown = next((each for each in (last, whole.get(chain)) if each is not None and not each.ok), last)
        walked = whole.get(chain)
        days = (clock.now() - walked.at).days if walked else 0
        severity = Severity.WARNING if walked is None or clock.now() - walked.at > VERIFIED_AGE else Severity.OK
        yield Finding(f"händelsekedja {chain}", severity if shown.ok else Severity.ERROR, shown.text, "days", days)


def _first_is_late(since: dt.datetime | None, limit: dt.timedelta) -> Severity:
    """Returns the severity for a job that has never run: it is late if it has had work for longer than `limit`."""
    return Severity.WARNING if since is not None and clock.now() - since > limit else Severity.OK


def _lag(subject: str, oldest: dt.datetime | None, limit: dt.timedelta, nothing: str) -> Finding:
    if oldest is None:
        return finding(subject, True, nothing, measure="seconds")
    age = max(clock.now() - oldest, dt.timedelta())
    text = f"den äldsta händelsen har väntat {age.total_seconds():.0f} s"
    return finding(subject, age < limit, text, measure="seconds", value=age.total_seconds())


def responder() -> Iterator[Finding]:
    """Checks the OCSP responder's store and processes, by the newest `status_measures`; yields nothing without a store."""
    seen = status_of_store()
    if seen is None or not seen.generation or seen.followed_at is None:
        return
    age = max(seen.seen_at - seen.followed_at, dt.timedelta())
    severity = Severity.OK if age <= STORE_LATE else Severity.WARNING if age <= STORE_GIVEN_UP else Severity.ERROR
    text = f"följde databasen för {age.total_seconds():.0f} s sedan"
    yield Finding("ocsp-lager", severity, text, "seconds", age.total_seconds())
    count = len(seen.processes)
    text = f"{count} {'process' if count == 1 else 'processer'} svarar ur lagret"
    yield Finding("ocsp-process", Severity.OK if count else Severity.WARNING, text, "count", count)


def journalled() -> Finding:
    """Checks that the journal can be written: without it nothing is issued and no OCSP response shows a revocation."""
    found = files_journal.volume(journal.NAME)
    text = f"{found.free / 1e9:.1f} GB ledigt" if found.writable else "går inte att skriva"
    if not found.writable or found.free < JOURNAL_STOPS:
        return finding("journal", False, text)
    if found.is_of_var and not (settings.DEBUG or os.environ.get("SITHS_TEST_ROOT")):  # a developer's machine has one disk
        return Finding("journal", Severity.WARNING, f"{text}, på samma volym som var/")
    return Finding("journal", Severity.WARNING if found.free < JOURNAL_LOW else Severity.OK, text)


def the_clock() -> Finding:
    """Checks whether the clock allows signing, and how it differs from the database server's."""
    reading = clock_guard.look()
    apart = reading.ahead.total_seconds()
    if reading.went_back:
        text = f"har gått tillbaka: signering väntar i {reading.behind.total_seconds():.0f} s"
        return finding("klocka", False, text, measure="seconds", value=apart)
    text = f"{round(apart):+d} s mot databasservern" if round(apart) else "går lika med databasserverns"
    if reading.is_far_ahead:
        return finding("klocka", False, text, measure="seconds", value=apart)
    if abs(reading.ahead) > CLOCKS_APART:
        return Finding("klocka", Severity.WARNING, text, "seconds", apart)
    if clock_guard.synchronised() is False and not settings.DEBUG:  # a developer's machine need not keep UTC
        return Finding("klocka", Severity.WARNING, f"{text}; systemet är inte synkroniserat med UTC", "seconds", apart)
    return finding("klocka", True, text, measure="seconds", value=apart)
