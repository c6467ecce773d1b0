"""OCSP requests and what each asks: for every reader that we have, and for the library. Bytes are given in full, or made by
`made` in one way only."""

from asn1crypto import core, ocsp

NAME, KEY = bytes(range(32)), bytes(range(100, 132))
SERIAL = int("0190AB12CD34EF56789012345678AB", 16)
SIZES = {"sha1": 20, "sha256": 32}
MALFORMED, UNKNOWN_HASH = "malformed", "unknown hash"


def made(hash_name="sha1", *, serial=SERIAL, parameters=True, extensions=None, count=1, single=False, signed=False, named=False):
    size = {"sha384": 48, "sha512": 64, "md5": 16}.get(hash_name, SIZES.get(hash_name, 0))
    algorithm = {"algorithm": hash_name}
    if parameters:
        algorithm["parameters"] = core.Null()
    cert_id = {
        "hash_algorithm": algorithm,
        "issuer_name_hash": (NAME * 2)[:size],
        "issuer_key_hash": (KEY * 2)[:size],
        "serial_number": serial,
    }
    request = {"req_cert": cert_id}
    if single:
        request["single_request_extensions"] = [
            {"extn_id": "1.2.3.4", "critical": False, "extn_value": core.ParsableOctetString(core.Null().dump())}
        ]
    tbs = {"request_list": [request] * count}
    if named:
        tbs["requestor_name"] = ocsp.GeneralName({"rfc822_name": "a@example.se"})
    if extensions is not None:
        tbs["request_extensions"] = extensions
    body = {"tbs_request": tbs}
    if signed:
        body["optional_signature"] = {"signature_algorithm": {"algorithm": "sha256_ecdsa"}, "signature": b"\x30\x00"}
    return ocsp.OCSPRequest(body).dump()


def nonce(length, *, critical=False):
    return {
        "extn_id": "nonce",
        "critical": critical,
        "extn_value": core.ParsableOctetString(core.OctetString(b"n" * length).dump()),
    }


def other(*, critical):
    return {"extn_id": "1.2.3.4", "critical": critical, "extn_value": core.ParsableOctetString(core.Null().dump())}


def asked(hash_name="sha1", serial=SERIAL, nonce_length=0):
    size = SIZES[hash_name]
    return hash_name, NAME[:size], KEY[:size], serial, b"n" * nonce_length


# name: the bytes, what they ask or why they are refused, and whether the strict walk is to know them.
VECTORS = {
    "sha1": (made(), asked(), True),
    "sha256": (made("sha256"), asked("sha256"), True),
    "sha1 without parameters": (made(parameters=False), asked(), True),
    "sha256 without parameters": (made("sha256", parameters=False), asked("sha256"), True),
    "nonce of 1": (made(extensions=[nonce(1)]), asked(nonce_length=1), True),
    "nonce of 16": (made(extensions=[nonce(16)]), asked(nonce_length=16), True),
    "nonce of 32": (made("sha256", extensions=[nonce(32)]), asked("sha256", nonce_length=32), True),
    "nonce of 128": (made("sha256", extensions=[nonce(128)]), asked("sha256", nonce_length=128), False),
    "nonce of 100": (made(extensions=[nonce(100)]), asked(nonce_length=100), True),
    "nonce of 0": (made(extensions=[nonce(0)]), MALFORMED, False),
    "nonce of 129": (made(extensions=[nonce(129)]), MALFORMED, False),
    "critical nonce": (made(extensions=[nonce(16, critical=True)]), asked(nonce_length=16), False),
    "two nonces": (made(extensions=[nonce(16), nonce(16)]), MALFORMED, False),
    "another extension": (made(extensions=[other(critical=False)]), asked(), False),
    "another extension and a nonce": (made(extensions=[other(critical=False), nonce(8)]), asked(nonce_length=8), False),
    "another critical extension": (made(extensions=[other(critical=True)]), MALFORMED, False),
    "an extension of the CertID": (made(single=True), asked(), False),
    "a requestor's name": (made(named=True), asked(), False),
    "signed": (made(signed=True), asked(), False),
    "two CertIDs": (made(count=2), MALFORMED, False),
    "a thousand CertIDs": (made(count=1000), MALFORMED, False),
    "no CertID": (made(count=0), MALFORMED, False),
    "sha384": (made("sha384"), UNKNOWN_HASH, False),
    "sha512": (made("sha512"), UNKNOWN_HASH, False),
    "a serial of one octet": (made(serial=5), asked(serial=5), True),
    "a serial of 20 octets": (made(serial=(1 << 159) - 1), asked(serial=(1 << 159) - 1), True),
    "a serial of 21 octets": (made(serial=1 << 159), asked(serial=1 << 159), False),
    "a serial of 600 octets": (made(serial=1 << 4800), asked(serial=1 << 4800), False),
    "a serial with a leading zero": (made(serial=0x80), asked(serial=0x80), True),
    "serial zero": (made(serial=0), asked(serial=0), True),
    "a negative serial": (made(serial=-5), asked(serial=-5), False),
    "nothing": (b"", MALFORMED, False),
    "an empty sequence": (b"\x30\x00", MALFORMED, False),
    "an indefinite length": (b"\x30\x80\x00\x00", MALFORMED, False),
    "a length beyond all bytes": (b"\x30\x84\xff\xff\xff\xff", MALFORMED, False),
    "cut short": (made()[:-1], MALFORMED, False),
    "something that follows": (made() + b"\x00", MALFORMED, False),
    "more than 10 kB": (made(extensions=[other(critical=False)] * 700), MALFORMED, False),
    "text": (b"GET / HTTP/1.1", MALFORMED, False),
}
