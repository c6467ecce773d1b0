"""A certificate as text (Visa certifikat): its content by RFC 5280, and its status."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.records.domain import wording
from pki import service as pki
from siths_portal.lib import clock

CARD_NUMBER = x509.ObjectIdentifier("1.2.752.34.2.1")
"""The number of the card with the key (SEIS cardNumber, SS 614331)."""

USER_PRINCIPAL_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")

_NO_ID = UUID(int=0)
_STATUS = {"reserved": _("Utfärdas"), "issued": _("Giltigt"), "revoked": _("Spärrat"), "failed": _("Utfärdades aldrig")}
_REASON = {
    "unspecified": _("ingen särskild"),
    "keyCompromise": _("nyckeln kan ha kommit i orätta händer"),
    "affiliationChanged": _("anställning eller uppdrag har upphört"),
    "superseded": _("ersatt"),
    "cessationOfOperation": _("används inte längre"),
    "privilegeWithdrawn": _("rätten har dragits in"),
}
_ATTRIBUTES = {
    NameOID.COUNTRY_NAME: _("Land"),
    NameOID.ORGANIZATION_NAME: _("Organisation"),
    NameOID.COMMON_NAME: _("Namn"),
    NameOID.SURNAME: _("Efternamn"),
    NameOID.GIVEN_NAME: _("Förnamn"),
    NameOID.SERIAL_NUMBER: _("Identitet (serialNumber)"),
    NameOID.TITLE: _("Titel"),
}
_KEY_USAGE = {
    "digital_signature": _("digital signatur"),
    "content_commitment": _("oavvislighet"),
    "key_encipherment": _("nyckelkryptering"),
    "data_encipherment": _("datakryptering"),
    "key_agreement": _("nyckelöverenskommelse"),
    "key_cert_sign": _("certifikatsignering"),
    "crl_sign": _("signering av spärrlistor"),
}
_EXTENDED_KEY_USAGE = {
    ExtendedKeyUsageOID.CLIENT_AUTH: _("klientlegitimering"),
    ExtendedKeyUsageOID.EMAIL_PROTECTION: _("skydd av e-post"),
    ExtendedKeyUsageOID.SMARTCARD_LOGON: _("inloggning med smartkort"),
}


@dataclass(frozen=True)
class CertificateFact:
    """A line with a label. `code` marks numbers and hashes; `copy` adds a copy button."""

    label: str
    value: str
    code: bool = False
    copy: bool = False


@dataclass(frozen=True)
class CertificateView:
    """A certificate on a carrier.

    `pem` is empty if the portal has only its serial; `siblings` are the other certificates of its eID.

    `held` means on hold until the holder has chosen the card's code.
    """

    id: UUID
    person_id: UUID
    use: str
    kind: str
    status: str
    status_text: str
    held: bool
    rows: tuple[tuple[str, tuple[CertificateFact, ...]], ...]
    pem: str = field(repr=False)
    siblings: tuple[tuple[UUID, str], ...] = ()


def certificate_view(*, actor: Actor, certificate_id: UUID | str, with_pem: bool = False) -> CertificateView:
    """Returns a certificate if the actor sees its eID, or for the person-id pair its carrier.

    Raises NotFound, with `with_pem` also for a certificate of which the portal has only the serial.
    """
    link = _link(actor, certificate_id)
    siblings = CarrierCertificate.objects.filter(carrier=link.carrier_id, eid=link.eid_id, made_with=link.made_with_id)
    siblings = siblings.order_by("profile")
    found = pki.certificates([link.certificate_id])
    if not found:
        raise policy.not_found()
    view = found[0]
    certificate = x509.load_der_x509_certificate(view.der) if view.der else None
    if certificate is None and with_pem:
        raise policy.not_found()
    sections = [(gettext("Spärr"), tuple(_revoked(view)))] if view.revoked_at else []
    sections += list(_sections(certificate)) if certificate else [(gettext("Certifikatet"), tuple(_known(view)))]
    return CertificateView(
        id=view.id,
        person_id=link.carrier.holder_id,
        use=wording.certificate_use(link.profile),
        kind=gettext("SITHS eID") if link.eid_id else gettext("Person-id"),
        status=_tag(view),
        status_text=_status_text(view),
        held=_is_held(view),
        rows=tuple(sections),
        pem=certificate.public_bytes(serialization.Encoding.PEM).decode() if certificate else "",
        siblings=tuple((row.certificate_id, wording.certificate_use(row.profile)) for row in siblings),
    )


def _link(actor: Actor, certificate_id: UUID | str) -> CarrierCertificate:
    try:
        pk = UUID(str(certificate_id))
    except ValueError:
        raise policy.not_found() from None
    link = CarrierCertificate.objects.select_related("carrier").filter(pk=pk).first()
    # The same queries for hidden and missing certificates (S09).
    eids, carriers = Eid.objects.visible_to(actor, Action.VIEW), Carrier.objects.visible_to(actor, Action.VIEW)
    by_eid = eids.filter(pk=(link.eid_id if link else None) or _NO_ID).exists()
    by_carrier = carriers.filter(pk=link.carrier_id if link else _NO_ID).exists()
    if link is None or not (by_eid if link.eid_id else by_carrier):
        raise policy.not_found()
    return link


def _has_ended(view: pki.CertificateView) -> bool:
    return view.status == "issued" and view.not_after <= clock.now()


def _is_held(view: pki.CertificateView) -> bool:
    return view.held and view.status == "issued" and not _has_ended(view)


def _status_text(view: pki.CertificateView) -> str:
    if _has_ended(view):
        return gettext("Utgånget")
    return gettext("Vilande") if _is_held(view) else gettext(_STATUS[view.status])


def _tag(view: pki.CertificateView) -> str:
    if _is_held(view):
        return "ordered"
    if view.status == "issued":
        return "expired" if _has_ended(view) else "active"
    return {"reserved": "ordered", "revoked": "revoked"}.get(view.status, "failed")


def _revoked(view: pki.CertificateView) -> Iterator[CertificateFact]:
    if view.revoked_at:
        yield CertificateFact(gettext("Spärrat"), _moment(view.revoked_at))
    yield CertificateFact(gettext("Orsak i spärrlistan"), f"{wording.label(_REASON, view.reason)} ({view.reason})")


def _known(view: pki.CertificateView) -> Iterator[CertificateFact]:
    names = {(each.slug, each.generation): each.common_name for each in pki.authorities()}
    issuer = names.get((view.ca, view.generation), view.ca)
    yield CertificateFact(gettext("Utfärdare"), issuer)
    yield from _serial(int(view.serial, 16))
    yield CertificateFact(gettext("Giltigt från"), _moment(view.not_before))
    yield CertificateFact(gettext("Giltigt till"), _moment(view.not_after))


def _sections(certificate: x509.Certificate) -> Iterator[tuple[str, tuple[CertificateFact, ...]]]:
    yield gettext("Innehavare"), (*_name(certificate.subject), *_alternative_names(certificate))
    yield gettext("Utfärdare"), tuple(_name(certificate.issuer))
    validity = (
        CertificateFact(gettext("Giltigt från"), _moment(certificate.not_valid_before_utc)),
        CertificateFact(gettext("Giltigt till"), _moment(certificate.not_valid_after_utc)),
    )
    yield gettext("Certifikatet"), (*_serial(certificate.serial_number), *validity, *_card_number(certificate))
    yield gettext("Användning"), tuple(_usage(certificate))
    yield gettext("Nyckel och kontrollsummor"), tuple(_sums(certificate))
    yield gettext("Spärrkontroll"), tuple(_addresses(certificate))


def _name(name: x509.Name) -> Iterator[CertificateFact]:
    for attribute in name:
        label = _ATTRIBUTES.get(attribute.oid)
        yield CertificateFact(gettext(label) if label else attribute.oid.dotted_string, str(attribute.value))


def _alternative_names(certificate: x509.Certificate) -> Iterator[CertificateFact]:
    names = _extension(certificate, x509.SubjectAlternativeName)
    for name in names or ():
        if isinstance(name, x509.RFC822Name):
            yield CertificateFact(gettext("E-post"), name.value)
        elif isinstance(name, x509.OtherName) and name.type_id == USER_PRINCIPAL_NAME:
            yield CertificateFact(gettext("UPN"), core.UTF8String.load(name.value).native)


def _serial(number: int) -> Iterator[CertificateFact]:
    octets = number.to_bytes((number.bit_length() + 8) // 8 or 1).hex(":").upper()
    yield CertificateFact(gettext("Serienummer, hexadecimalt"), octets.removeprefix("00:"), code=True, copy=True)
    yield CertificateFact(gettext("Serienummer, decimalt"), str(number), code=True, copy=True)


def _card_number(certificate: x509.Certificate) -> Iterator[CertificateFact]:
    for extension in certificate.extensions:
        if extension.oid == CARD_NUMBER and isinstance(extension.value, x509.UnrecognizedExtension):
            yield CertificateFact(gettext("Kortets nummer"), str(core.load(extension.value.value).native), code=True)


def _usage(certificate: x509.Certificate) -> Iterator[CertificateFact]:
    if usage := _extension(certificate, x509.KeyUsage):
        yield CertificateFact(
            gettext("Nyckelanvändning"), ", ".join(gettext(word) for name, word in _KEY_USAGE.items() if getattr(usage, name))
        )
    if extended := _extension(certificate, x509.ExtendedKeyUsage):
        known = [gettext(_EXTENDED_KEY_USAGE[oid]) if oid in _EXTENDED_KEY_USAGE else oid.dotted_string for oid in extended]
        yield CertificateFact(gettext("Utökad nyckelanvändning"), ", ".join(known))
    if policies := _extension(certificate, x509.CertificatePolicies):
        oids = ", ".join(each.policy_identifier.dotted_string for each in policies)
        yield CertificateFact(gettext("Certifikatpolicy"), oids, code=True)


def _sums(certificate: x509.Certificate) -> Iterator[CertificateFact]:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        yield CertificateFact(gettext("Nyckel"), gettext("RSA, {bits} bitar").format(bits=key.key_size))
    elif isinstance(key, ec.EllipticCurvePublicKey):
        yield CertificateFact(gettext("Nyckel"), gettext("elliptisk kurva {name}").format(name=key.curve.name))
    for label, algorithm in (("SHA-256", hashes.SHA256()), ("SHA-1", hashes.SHA1())):  # noqa: S303  (a fingerprint to compare)
        text = gettext("Fingeravtryck {label}").format(label=label)
        yield CertificateFact(text, certificate.fingerprint(algorithm).hex(":").upper(), code=True)


def _addresses(certificate: x509.Certificate) -> Iterator[CertificateFact]:
    access = _extension(certificate, x509.AuthorityInformationAccess)
    for each in access or ():
        if each.access_method == AuthorityInformationAccessOID.OCSP:
            yield CertificateFact("OCSP", each.access_location.value)
    for point in _extension(certificate, x509.CRLDistributionPoints) or ():
        for name in point.full_name or ():
            yield CertificateFact("CRL", name.value)


def _extension[E: x509.ExtensionType](certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _moment(moment: dt.datetime) -> str:
    return f"{moment.astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M:%S}"
