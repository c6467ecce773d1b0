"""Extensions of certificates as text (RFC 5280 section 4.2, and those of Swedish cards)."""

from collections.abc import Callable, Iterator, Mapping

from asn1crypto import core
from asn1crypto import x509 as asn1
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from pki.decoding.names import NAMES_OF_OIDS, DecodedLine, general_name, hexadecimal, outline

_USAGES = (
    ("digital_signature", "digitalSignature", gettext_noop("digital signatur")),
    ("non_repudiation", "contentCommitment", gettext_noop("oavvislighet")),
    ("key_encipherment", "keyEncipherment", gettext_noop("nyckelkryptering")),
    ("data_encipherment", "dataEncipherment", gettext_noop("datakryptering")),
    ("key_agreement", "keyAgreement", gettext_noop("nyckelöverenskommelse")),
    ("key_cert_sign", "keyCertSign", gettext_noop("signering av certifikat")),
    ("crl_sign", "cRLSign", gettext_noop("signering av spärrlistor")),
    ("encipher_only", "encipherOnly", gettext_noop("bara kryptering")),
    ("decipher_only", "decipherOnly", gettext_noop("bara dekryptering")),
)
_EXTENDED: Mapping[str, str] = {
    "1.3.6.1.5.5.7.3.1": gettext_noop("serverlegitimering"),
    "1.3.6.1.5.5.7.3.2": gettext_noop("klientlegitimering"),
    "1.3.6.1.5.5.7.3.4": gettext_noop("skydd av e-post"),
    "1.3.6.1.5.5.7.3.8": gettext_noop("tidsstämpling"),
    "1.3.6.1.5.5.7.3.9": gettext_noop("signering av OCSP-svar"),
    "1.3.6.1.5.5.7.3.36": gettext_noop("underskrift av dokument"),
    "1.3.6.1.4.1.311.20.2.2": gettext_noop("inloggning med smartkort"),
}


def extension_lines(oid: str, value: bytes) -> tuple[str, list[DecodedLine]]:
    """Returns the heading and content of an extension. An unknown or malformed one is outlined."""
    heading, read = _KNOWN.get(oid, (gettext_noop("Okänt tillägg"), _unknown))
    try:
        lines = list(read(value))
    except (ValueError, TypeError, KeyError):
        return _("{heading}, inte uppbyggt enligt standarden").format(heading=_(heading)), list(_unknown(value))
    return _(heading), lines


def _authority_key(value: bytes) -> Iterator[DecodedLine]:
    found = asn1.AuthorityKeyIdentifier.load(value, strict=True)
    if found["key_identifier"].native is not None:
        yield DecodedLine("keyIdentifier", hexadecimal(found["key_identifier"].native), code=True)
    for name in found["authority_cert_issuer"] if found["authority_cert_issuer"].native is not None else ():
        yield DecodedLine("authorityCertIssuer", general_name(name)[1])
    if found["authority_cert_serial_number"].native is not None:
        yield DecodedLine("authorityCertSerialNumber", f"{found['authority_cert_serial_number'].native:X}", code=True)


def _subject_key(value: bytes) -> Iterator[DecodedLine]:
    yield DecodedLine("keyIdentifier", hexadecimal(core.OctetString.load(value, strict=True).native), code=True)


def _key_usage(value: bytes) -> Iterator[DecodedLine]:
    found = asn1.KeyUsage.load(value, strict=True).native
    for name, standard, word in _USAGES:
        if name in found:
            yield DecodedLine(standard, _(word))


def _extended_key_usage(value: bytes) -> Iterator[DecodedLine]:
    for each in asn1.ExtKeyUsageSyntax.load(value, strict=True):
        oid = each.dotted
        yield DecodedLine(NAMES_OF_OIDS.get(oid, oid), _(_EXTENDED[oid]) if oid in _EXTENDED else oid, oid=oid)


def _policies(value: bytes) -> Iterator[DecodedLine]:
    for each in asn1.CertificatePolicies.load(value, strict=True):
        oid = each["policy_identifier"].dotted
        yield DecodedLine(NAMES_OF_OIDS.get(oid, _("Policy")), oid, code=True)
        for qualifier in each["policy_qualifiers"] if each["policy_qualifiers"].native is not None else ():
            kind = qualifier["policy_qualifier_id"].dotted
            yield DecodedLine(NAMES_OF_OIDS.get(kind, kind), "\n".join(outline(qualifier["qualifier"].dump())), oid=kind)


def _names(value: bytes) -> Iterator[DecodedLine]:
    for name in asn1.GeneralNames.load(value, strict=True):
        kind, text, oid = general_name(name)
        yield DecodedLine(kind, text, oid=oid)


def _basic_constraints(value: bytes) -> Iterator[DecodedLine]:
    found = asn1.BasicConstraints.load(value, strict=True)
    yield DecodedLine("cA", _("ja, en utfärdare") if found["ca"].native else _("nej"))
    if found["path_len_constraint"].native is not None:
        yield DecodedLine("pathLenConstraint", str(found["path_len_constraint"].native))


def _distribution_points(value: bytes) -> Iterator[DecodedLine]:
    for point in asn1.CRLDistributionPoints.load(value, strict=True):
        where = point["distribution_point"]
        if where.native is not None and where.name == "full_name":
            for name in where.chosen:
                yield DecodedLine(general_name(name)[0], general_name(name)[1])
        elif where.native is not None:
            yield DecodedLine("nameRelativeToCRLIssuer", "\n".join(outline(where.chosen.dump())))
        if point["reasons"].native is not None:
            yield DecodedLine("reasons", ", ".join(sorted(point["reasons"].native)))
        for name in point["crl_issuer"] if point["crl_issuer"].native is not None else ():
            yield DecodedLine("cRLIssuer", general_name(name)[1])


def _access(value: bytes) -> Iterator[DecodedLine]:
    for each in asn1.AuthorityInfoAccessSyntax.load(value, strict=True):
        oid = each["access_method"].dotted
        yield DecodedLine(NAMES_OF_OIDS.get(oid, oid), general_name(each["access_location"])[1], oid=oid)


def _no_check(value: bytes) -> Iterator[DecodedLine]:
    core.Null.load(value, strict=True)
    yield DecodedLine(_("Innebörd"), _("Spärr av svararens eget certifikat behöver inte kontrolleras."))


def _card_number(value: bytes) -> Iterator[DecodedLine]:
    yield DecodedLine(
        _("Kortets nummer"), str(core.PrintableString.load(value, strict=True).native), kind="PrintableString", code=True
    )


def _statements(value: bytes) -> Iterator[DecodedLine]:
    class Statement(core.Sequence):  # type: ignore[misc]
        _fields = [("id", core.ObjectIdentifier), ("info", core.Any, {"optional": True})]

    class Statements(core.SequenceOf):  # type: ignore[misc]
        _child_spec = Statement

    for each in Statements.load(value, strict=True):
        oid = each["id"].dotted
        info = each["info"]
        text = "\n".join(outline(info.dump())) if not isinstance(info, core.Void) else oid
        yield DecodedLine(NAMES_OF_OIDS.get(oid, oid), text, oid=oid)


def _unknown(value: bytes) -> Iterator[DecodedLine]:
    try:
        lines = outline(value)
    except ValueError:
        lines = []
    if lines:
        yield DecodedLine(_("Innehåll"), "\n".join(lines), code=True)
    yield DecodedLine(_("DER"), hexadecimal(value), code=True)


_KNOWN: Mapping[str, tuple[str, Callable[[bytes], Iterator[DecodedLine]]]] = {
    "2.5.29.35": (gettext_noop("Utfärdarens nyckel (authorityKeyIdentifier)"), _authority_key),
    "2.5.29.14": (gettext_noop("Innehavarens nyckel (subjectKeyIdentifier)"), _subject_key),
    "2.5.29.15": (gettext_noop("Nyckelanvändning (keyUsage)"), _key_usage),
    "2.5.29.37": (gettext_noop("Utökad nyckelanvändning (extendedKeyUsage)"), _extended_key_usage),
    "2.5.29.32": (gettext_noop("Certifikatpolicyer (certificatePolicies)"), _policies),
    "2.5.29.17": (gettext_noop("Andra namn på innehavaren (subjectAltName)"), _names),
    "2.5.29.18": (gettext_noop("Andra namn på utfärdaren (issuerAltName)"), _names),
    "2.5.29.19": (gettext_noop("Grundvillkor (basicConstraints)"), _basic_constraints),
    "2.5.29.31": (gettext_noop("Spärrlistor (cRLDistributionPoints)"), _distribution_points),
    "2.5.29.46": (gettext_noop("Deltaspärrlistor (freshestCRL)"), _distribution_points),
    "1.3.6.1.5.5.7.1.1": (gettext_noop("Tjänster hos utfärdaren (authorityInfoAccess)"), _access),
    "1.3.6.1.5.5.7.1.11": (gettext_noop("Tjänster hos innehavaren (subjectInfoAccess)"), _access),
    "1.3.6.1.5.5.7.48.1.5": (gettext_noop("Ingen spärrkontroll (id-pkix-ocsp-nocheck)"), _no_check),
    "1.2.752.34.2.1": (gettext_noop("Kortnummer (SEIS cardNumber)"), _card_number),
    "1.3.6.1.5.5.7.1.3": (gettext_noop("Kvalificerade uttalanden (qcStatements)"), _statements),
    "2.5.29.30": (gettext_noop("Namnbegränsningar (nameConstraints)"), _unknown),
    "2.5.29.36": (gettext_noop("Policyvillkor (policyConstraints)"), _unknown),
    "2.5.29.16": (gettext_noop("Nyckelns användningstid (privateKeyUsagePeriod)"), _unknown),
}
