"""Health checks of each CA: its key, its CRLs, its OCSP responses and their signer (rules/pki 8.2)."""

import datetime as dt
import hashlib
from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp as x509_ocsp
from django.db.models import Q

from pki.authorities.queries import certificate_of, known_until, must_answer
from pki.crl import building
from pki.custodians import held
from pki.domain.findings import Finding, Severity, finding
from pki.domain.ocsp_request import CertId
from pki.health.limits import CA_LAST, CA_WARNING, SIGNER_WARNING
from pki.hsm import HsmError, hsm_for
from pki.models import (
    ANSWERED,
    CaState,
    CertIdHash,
    Certificate,
    CertificateAuthority,
    CertificateStatus,
    Crl,
    CrlScope,
    HsmKey,
    KeyPurpose,
    OcspResponse,
    OcspSigner,
    Revocation,
    Secret,
    SecretState,
)
from pki.ocsp import presigning, status
from pki.operators.status import ANSWERS_LAST, ANSWERS_SOON, part_left
from siths_portal.lib import clock

SIGNER_ELSEWHERE = dt.timedelta(days=30)  # certified in another system, by people
ANSWER_WAIT = dt.timedelta(seconds=30)  # the sweeper runs every 2 s
SECRET_WAIT = dt.timedelta(minutes=5)
SAMPLE = 20


def inspect() -> Iterator[Finding]:
    """Checks every CA and yields each finding at once. Never raises for a fault.

    A system before its first ceremony has no CA and no keys, which is not a fault.
    """
    if not CertificateAuthority.objects.exists():
        yield finding("ca", True, "ingen utfärdare finns än; pki_ceremony gör den första")
        return
    elsewhere = Q(state=CaState.EXTERNAL) & ~must_answer()
    authorities = list(CertificateAuthority.objects.exclude(state=CaState.PLANNED).exclude(elsewhere).order_by("id"))
    if not authorities:
        yield finding("ca", False, "ingen utfärdare finns; kör pki_ceremony")
    waiting = presigning.backlog(since=clock.now() - ANSWER_WAIT)
    for ca in authorities:
        if ca.state == CaState.COMPROMISED:
            yield _compromised(ca)  # no other check: it never publishes again
            continue
        yield _certificate(ca)
        if ca.not_after is not None and ca.not_after <= clock.now():
            continue  # its certificates have expired with it, so there is no status to publish
        if ca.state == CaState.OFFLINE:
            yield finding(f"hsm {_name(ca)}", True, "nyckeln är frånkopplad mellan ceremonierna")
        elif ca.state != CaState.EXTERNAL and not held.waits():  # `checks.token` says that the token was not asked
            yield _key(ca)
        if ca.state != CaState.EXTERNAL:  # `foreign_crls` checks the CRLs of those
            yield from _lists(ca)
        yield from _answers(ca, waiting.get(_name(ca), 0))
    yield _secrets()


def _name(ca: CertificateAuthority) -> str:
    """Returns the CA's name in findings, with its generation, since generations share a slug."""
    return f"{ca.slug}:{ca.generation}"


def _certificate(ca: CertificateAuthority) -> Finding:
    subject = f"ca {_name(ca)}"
    if ca.not_after is None:
        return finding(subject, False, "certifikatet saknas")
    left = ca.not_after - clock.now()
    if ca.state == CaState.RETIRED and left <= dt.timedelta():
        return finding(subject, True, "avslutad; certifikatet har gått ut och ingen status lämnas längre")
    severity = Severity.OK if left > CA_WARNING else Severity.WARNING if left > CA_LAST else Severity.ERROR
    return Finding(subject, severity, f"{ca.state}, certifikatet gäller {left.days} dagar till", "days", left.days)


def _compromised(ca: CertificateAuthority) -> Finding:
    """Checks that a compromised CA's own certificate is revoked: relying parties can no longer trust what the CA signs."""
    own, subject = certificate_of(ca), f"ca {_name(ca)}"
    if own is not None and own.status != CertificateStatus.REVOKED and own.not_after > clock.now():
        return Finding(subject, Severity.WARNING, "röjd, men dess certifikat är inte spärrat; gör en ceremoni med act: revoke")
    return finding(subject, True, "röjd; lämnar ingen status")


def _key(ca: CertificateAuthority) -> Finding:
    """Checks that the token has the certificate's key, without signing: the token's probe key signs for the check (`health`)."""
    subject = f"hsm {_name(ca)}"
    certificate = x509.load_der_x509_certificate(bytes(ca.certificate_der)).public_key()
    expected = certificate.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        found = hsm_for(ca.token_label).find(ca.key_id, ours=False)
    except HsmError as error:
        return finding(subject, False, f"HSM svarar inte ({type(error).__name__})")
    same = found.public_key_der == expected
    return finding(subject, same, f"nyckeln i HSM är {'' if same else 'inte '}certifikatets")


def _lists(ca: CertificateAuthority) -> Iterator[Finding]:
    """Yields one finding for the CA's CRL, and one for the CRLs of all of its shards."""
    newest = {row.shard: row.newest for row in CrlScope.objects.filter(ca=ca).select_related("newest")}
    yield _list(ca, None, newest.get(None))
    if ca.crl_shards == 1:
        return
    found = [_list(ca, shard, newest.get(shard)) for shard in range(ca.crl_shards)]
    wrong = [each for each in found if not each.ok]
    subject, oldest = f"crl {_name(ca)} delar", max(each.value for each in found)
    if wrong:
        yield finding(subject, False, f"{len(wrong)} av {len(found)}: {wrong[0].subject}: {wrong[0].text}")
    else:
        yield finding(subject, True, f"alla {len(found)} är som de ska", measure="seconds", value=oldest)


def _list(ca: CertificateAuthority, shard: int | None, newest: Crl | None) -> Finding:
    subject, now = f"crl {_name(ca)}" if shard is None else f"del {shard}", clock.now()
    if newest is None:
        return finding(subject, False, "ingen spärrlista är publicerad")
    age = now - newest.this_update
    text = f"nummer {newest.number}, {newest.entries} poster, {_span(age)} gammal"
    if newest.next_update is None:
        text = f"nummer {newest.number}, {newest.entries} poster, den sista"
    elif newest.next_update <= now:
        return finding(subject, False, f"{text}, har gått ut")
    elif age > 1.5 * ca.crl_period:
        return finding(subject, False, f"{text}, skulle ha ersatts")
    try:
        with building.crl_path(ca, shard).open("rb") as file:
            published = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return finding(subject, False, f"{text}, filen saknas")
    if published != newest.sha256:
        return finding(subject, False, f"{text}, filen är en annan än den som publicerades")
    return finding(subject, True, text, measure="seconds", value=age.total_seconds())


def _answers(ca: CertificateAuthority, waiting: int) -> Iterator[Finding]:
    subject, now = f"ocsp {_name(ca)}", clock.now()
    signer = presigning.delegated_signer(ca, now)
    if signer is not None:
        yield _signer(ca, signer, now)
        if ca.state == CaState.EXTERNAL and (known_until(ca) or now) <= now:
            yield finding(subject, False, "svarar inte: ingen lista från utfärdaren gäller (pki_publish_crls --file)")
            return
        keys = x509.load_der_x509_certificate(bytes(signer.certificate_der))
    elif ca.state == CaState.OFFLINE:
        yield from _answers_left(ca)
        keys = x509.load_der_x509_certificate(bytes(ca.certificate_der))
    elif _is_asked(ca):
        yield finding(f"ocsp-signer {_name(ca)}", False, "ingen giltig signerare")
        return
    else:
        yield finding(subject, True, "svarar inte: utfärdaren har ingen svarstjänst")
        return
    if waiting:
        yield finding(subject, False, f"{waiting} certifikat väntar på svar", measure="count", value=waiting)
        return
    yield _sample(ca, subject, keys)


def _signer(ca: CertificateAuthority, signer: OcspSigner, now: dt.datetime) -> Finding:
    """Checks the responder's remaining validity. Warns earlier for one that people must renew in another system."""
    left, subject = signer.not_after - now, f"ocsp-signer {_name(ca)}"
    text, severity = f"gäller {left.days} dagar till", Severity.OK if left > SIGNER_WARNING else Severity.ERROR
    early = min(SIGNER_ELSEWHERE, (signer.not_after - signer.not_before) / 2)
    if ca.state == CaState.EXTERNAL and left <= max(early, SIGNER_WARNING):
        text, severity = f"{text}; begär nästa (pki_ocsp_signer --request)", max(severity, Severity.WARNING)
    return Finding(subject, severity, text, "days", left.days)


def _answers_left(ca: CertificateAuthority) -> Iterator[Finding]:
    """Checks the remaining validity of responses that only a ceremony renews: it may have renewed only the CRL."""
    now = clock.now()
    first = OcspResponse.objects.filter(ca=ca, certificate__not_after__gt=now).order_by("next_update").first()
    if first is None:
        return  # another finding reports certificates without a response
    part, left = part_left(first.this_update, first.next_update, now), first.next_update - now
    severity = Severity.OK if part > ANSWERS_SOON else Severity.WARNING if part > ANSWERS_LAST else Severity.ERROR
    text = f"det första går ut om {left.days} dagar" if left > dt.timedelta() else "har gått ut"
    yield Finding(f"ocsp-svar {_name(ca)}", severity, text, "days", left.days)


def _is_asked(ca: CertificateAuthority) -> bool:
    return CertificateAuthority.objects.filter(must_answer(), pk=ca.pk).exists()


def _sample(ca: CertificateAuthority, subject: str, signer: x509.Certificate) -> Finding:
    """Requests the status of the newest and the last revoked certificates like a relying party, by both hashes, and compares."""
    asked, live = 0, Certificate.objects.filter(ca=ca, held=False, not_after__gt=clock.now())
    last = list(Revocation.objects.order_by("-decided_at").values_list("certificate_id", flat=True)[:SAMPLE])
    samples = [live.filter(status=state).order_by("-id")[:SAMPLE] for state in ANSWERED]
    for sample in (*samples, live.filter(id__in=last, status=CertificateStatus.REVOKED)):
        for row in sample:
            for name in CertIdHash.values:
                asked += 1
                fault = _differs(ca, row, name, signer)
                if fault:
                    return finding(subject, False, f"certifikat {row.id} ({name}): {fault}")
    return finding(subject, True, f"{asked} stickprov stämmer med databasen")


_OTHER_STATUS = "svaret är ett annat än databasens status"


def _differs(ca: CertificateAuthority, row: Certificate, name: str, signer: x509.Certificate) -> str:
    wanted = CertId(name, getattr(ca, f"name_{name}"), getattr(ca, f"key_{name}"), int(row.serial, 16))
    try:
        response = x509_ocsp.load_der_ocsp_response(status.answer(wanted).der)
        responder = response.certificates[0] if response.certificates else signer
        responder.verify_directly_issued_by(x509.load_der_x509_certificate(bytes(ca.certificate_der)))
        presigning.verify(responder, response.tbs_response_bytes, response.signature)
    except status.Contradiction:
        return _OTHER_STATUS
    except status.TryLater:
        return "" if _just_changed(row) else "inget svar"
    except status.Unauthorized:
        return "inget svar"
    except (presigning.SelfCheckFailed, InvalidSignature, ValueError, TypeError):
        return "signaturen stämmer inte"
    revoked = row.status == CertificateStatus.REVOKED
    expected = x509_ocsp.OCSPCertStatus.REVOKED if revoked else x509_ocsp.OCSPCertStatus.GOOD
    return "" if response.certificate_status == expected else _OTHER_STATUS


def _just_changed(row: Certificate) -> bool:
    cutoff = clock.now() - ANSWER_WAIT
    return any(moment is not None and moment >= cutoff for moment in (row.issued_at, row.revoked_at))


def _secrets() -> Finding:
    subject, kinds = "koder", {KeyPurpose.KEK, KeyPurpose.SECRET_DERIVE}
    present = set(HsmKey.objects.filter(purpose__in=kinds, retired_at=None).values_list("purpose", flat=True))
    if present != kinds:
        return finding(subject, False, "nycklarna för koder saknas")
    old = Secret.objects.filter(state=SecretState.RECEIVED, created_at__lt=clock.now() - SECRET_WAIT).count()
    return finding(subject, not old, f"{old} mottagna koder väntar sedan mer än fem minuter" if old else "ingen kod väntar")


def _span(age: dt.timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes // 1440} dagar" if minutes >= 2880 else f"{minutes} minuter"
