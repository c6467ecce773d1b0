"""Certificates as text for the operators' pages: every field of RFC 5280 with OIDs, string types and criticality.

Start in `decode`. `extensions` and `names` decode the parts. An unknown structure is outlined and never left out.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from asn1crypto import algos, core, keys
from asn1crypto import x509 as asn1
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from pki.decoding.extensions import extension_lines
from pki.decoding.names import NAMES_OF_OIDS, DecodedLine, hexadecimal, name_lines, short_name


class _Extension(core.Sequence):  # type: ignore[misc]
    _fields = [
        ("extn_id", core.ObjectIdentifier),
        ("critical", core.Boolean, {"default": False}),
        ("extn_value", core.OctetString),
    ]


class _Extensions(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _Extension


class _ToBeSigned(core.Sequence):  # type: ignore[misc]
    """asn1crypto's class with raw extensions, since asn1crypto refuses all extensions if one is malformed."""

    _fields = [*asn1.TbsCertificate._fields[:-1], ("extensions", _Extensions, {"explicit": 3, "optional": True})]


class _Certificate(core.Sequence):  # type: ignore[misc]
    _fields = [("tbs_certificate", _ToBeSigned), *asn1.Certificate._fields[1:]]


_KINDS = {
    "utc_time": "UTCTime",
    "general_time": "GeneralizedTime",
}


@dataclass(frozen=True)
class Section:
    """A part of a certificate. `oid` and `critical` are an extension's; `critical` is None for other parts."""

    heading: str
    lines: tuple[DecodedLine, ...]
    oid: str = ""
    critical: bool | None = None


@dataclass(frozen=True)
class Decoded:
    """The complete content of a certificate or a TBSCertificate, in its order."""

    sections: tuple[Section, ...] = field(repr=False)


@dataclass(frozen=True)
class SerialForms:
    """A serial number in the forms that people and programs use.

    `octets` is the INTEGER's content with its sign octet, `reversed_octets` the same in reverse order, as in Active Directory's
    altSecurityIdentities after `<SR>` (Microsoft KB5014754); `mapping` is that complete value if the issuer is known.
    """

    octets: str
    decimal: str
    reversed_octets: str
    mapping: str = ""

    def lines(self) -> Iterator[DecodedLine]:
        """Yields the forms as lines to copy."""
        yield DecodedLine(_("Hexadecimalt"), self.octets, code=True, copy=True)
        yield DecodedLine(_("Decimalt"), self.decimal, code=True, copy=True)
        yield DecodedLine(_("Omvänd byteordning"), self.reversed_octets, code=True, copy=True)
        if self.mapping:
            yield DecodedLine("altSecurityIdentities", self.mapping, code=True, copy=True)


def serial_forms(serial: int, *, issuer_der: bytes = b"") -> SerialForms:
    """Returns the forms of a positive serial number, with every octet, including leading zeros and the sign octet."""
    octets = serial.to_bytes(serial.bit_length() // 8 + 1)
    backwards = octets[::-1].hex().upper()
    mapping = f"X509:<I>{short_name(issuer_der)}<SR>{backwards}" if issuer_der else ""
    return SerialForms(octets.hex(":").upper(), str(serial), backwards, mapping)


def decode(der: bytes) -> Decoded:
    """Decodes a DER certificate (RFC 5280 section 4.1). Raises ValueError if it is not one."""
    try:
        certificate = _Certificate.load(der, strict=True)
        sections = [*_to_be_signed(certificate["tbs_certificate"]), Section(_("Signatur"), tuple(_signature(certificate)))]
    except (ValueError, TypeError, KeyError):
        raise ValueError("not a certificate") from None
    return Decoded((*sections, Section(_("Fingeravtryck"), tuple(_fingerprints(der)))))


def decode_to_be_signed(der: bytes) -> Decoded:
    """Decodes a TBSCertificate that is not signed yet. Raises ValueError if it is not one."""
    try:
        return Decoded(tuple(_to_be_signed(_ToBeSigned.load(der, strict=True))))
    except (ValueError, TypeError, KeyError):
        raise ValueError("not a certificate to be signed") from None


def unreadable(der: bytes) -> Decoded:
    """Returns bytes that are not a certificate, undecoded."""
    return Decoded((Section(_("Går inte att läsa som certifikat"), (DecodedLine("DER", hexadecimal(der), code=True),)),))


def _to_be_signed(tbs: _ToBeSigned) -> Iterator[Section]:
    issuer = tbs["issuer"].dump()
    version = str(tbs["version"].native).removeprefix("v")
    inner = tbs["signature"]
    yield Section(
        _("Certifikatet"),
        (
            DecodedLine(_("Version"), f"{version} (0x{int(version) - 1:x})"),
            DecodedLine(_("Signaturalgoritm"), algorithm_text(inner), oid=inner["algorithm"].dotted),
        ),
    )
    yield Section(_("Serienummer"), tuple(serial_forms(tbs["serial_number"].native, issuer_der=issuer).lines()))
    yield Section(_("Utfärdare (issuer)"), tuple(name_lines(issuer)))
    yield Section(_("Giltighet (validity)"), tuple(_validity(tbs["validity"])))
    yield Section(_("Innehavare (subject)"), tuple(name_lines(tbs["subject"].dump())))
    yield Section(_("Nyckel (subjectPublicKeyInfo)"), tuple(key_lines(tbs["subject_public_key_info"])))
    for name in ("issuer_unique_id", "subject_unique_id"):
        if tbs[name].native is not None:
            yield Section(name, (DecodedLine(name, hexadecimal(tbs[name].contents), code=True),))
    for extension in tbs["extensions"] if isinstance(tbs["extensions"], _Extensions) else ():
        oid = extension["extn_id"].dotted
        heading, lines = extension_lines(oid, extension["extn_value"].native)
        yield Section(heading, tuple(lines), oid, bool(extension["critical"].native))


def _validity(validity: asn1.Validity) -> Iterator[DecodedLine]:
    for label, name in ((gettext_noop("Giltigt från"), "not_before"), (gettext_noop("Giltigt till"), "not_after")):
        chosen = validity[name]
        moment = chosen.native
        yield DecodedLine(_(label), f"{moment:%Y-%m-%d %H:%M:%S} UTC", kind=_KINDS[chosen.name], moment=moment)


def key_lines(key: keys.PublicKeyInfo) -> Iterator[DecodedLine]:
    """Yields the lines of a subjectPublicKeyInfo: algorithm, parameters, the key itself, and its hashes."""
    algorithm = key["algorithm"]
    oid = algorithm["algorithm"].dotted
    whole = key.dump()
    bits = bytes(key["public_key"].contents[1:])
    yield DecodedLine(_("Algoritm"), NAMES_OF_OIDS.get(oid, oid), oid=oid)
    yield from _KEYS.get(oid, _other_key)(key, bits)
    yield DecodedLine(_("SHA-256 av hela fältet"), hashlib.sha256(whole).hexdigest(), code=True, copy=True)
    yield DecodedLine(_("SHA-1 av nyckelbitarna"), hashlib.sha1(bits).hexdigest(), code=True)  # noqa: S324  (RFC 5280 section 4.2.1.2)


def _rsa_key(key: keys.PublicKeyInfo, bits: bytes) -> Iterator[DecodedLine]:
    numbers = keys.RSAPublicKey.load(bits, strict=True)
    modulus = numbers["modulus"].native
    yield DecodedLine(_("Längd"), _("{bits} bitar").format(bits=modulus.bit_length()))
    yield DecodedLine(_("Modulus"), hexadecimal(modulus.to_bytes((modulus.bit_length() + 7) // 8)), code=True)
    exponent = numbers["public_exponent"].native
    yield DecodedLine(_("Exponent"), f"{exponent} (0x{exponent:x})", code=True)


def _ec_key(key: keys.PublicKeyInfo, bits: bytes) -> Iterator[DecodedLine]:
    parameters = core.load(key["algorithm"]["parameters"].dump())
    oid = parameters.dotted if isinstance(parameters, core.ObjectIdentifier) else ""
    yield DecodedLine(_("Kurva"), NAMES_OF_OIDS.get(oid, oid or _("inte namngiven")), oid=oid)
    yield DecodedLine(_("Längd"), _("{bits} bitar").format(bits=(len(bits) - 1) // 2 * 8))
    yield DecodedLine(_("Punkt"), hexadecimal(bits), code=True)


def _other_key(key: keys.PublicKeyInfo, bits: bytes) -> Iterator[DecodedLine]:
    yield DecodedLine(_("Nyckelbitar"), hexadecimal(bits), code=True)


_KEYS: dict[str, Callable[[keys.PublicKeyInfo, bytes], Iterator[DecodedLine]]] = {
    "1.2.840.113549.1.1.1": _rsa_key,
    "1.2.840.10045.2.1": _ec_key,
}


def algorithm_text(algorithm: algos.SignedDigestAlgorithm) -> str:
    """Returns the name of a signature algorithm, with its parameters."""
    oid = algorithm["algorithm"].dotted
    name: str = NAMES_OF_OIDS.get(oid, oid)
    if oid != "1.2.840.113549.1.1.10":
        return name
    parameters = algorithm["parameters"]
    digest = parameters["hash_algorithm"]["algorithm"].native
    return _("{name}, {digest}, salt {octets} byte").format(
        name=name, digest=digest.upper(), octets=parameters["salt_length"].native
    )


def _signature(certificate: _Certificate) -> Iterator[DecodedLine]:
    algorithm = certificate["signature_algorithm"]
    yield DecodedLine(_("Signaturalgoritm"), algorithm_text(algorithm), oid=algorithm["algorithm"].dotted)
    same = algorithm.dump() == certificate["tbs_certificate"]["signature"].dump()
    yield DecodedLine(_("Samma som i det signerade"), _("ja") if same else _("nej"))
    value = bytes(certificate["signature_value"].contents[1:])
    yield DecodedLine(_("Signatur"), hexadecimal(value), code=True)


def _fingerprints(der: bytes) -> Iterator[DecodedLine]:
    yield DecodedLine("SHA-256", hexadecimal(hashlib.sha256(der).digest()), code=True, copy=True)
    yield DecodedLine("SHA-1", hexadecimal(hashlib.sha1(der).digest()), code=True, copy=True)  # noqa: S324  (to compare with other tools)
    yield DecodedLine(_("Storlek"), _("{octets} byte").format(octets=len(der)))
