"""The encoder of CRLs against the library's builder, octet by octet, and its reader against the library's parser."""

import datetime as dt
import io

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pki.domain import crl, crl_reader, crl_reasons, crl_shards, der, serials
from pki.domain.tbs import ALGORITHMS

NAME = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"), x509.NameAttribute(NameOID.COMMON_NAME, "DEMO Å CA v1")])
RSA_KEY, EC_KEY = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
SKI = bytes(range(20))
FLAGS = {
    1: x509.ReasonFlags.key_compromise,
    2: x509.ReasonFlags.ca_compromise,
    3: x509.ReasonFlags.affiliation_changed,
    4: x509.ReasonFlags.superseded,
    5: x509.ReasonFlags.cessation_of_operation,
    9: x509.ReasonFlags.privilege_withdrawn,
}
MOMENTS = st.integers(-631_152_000, der.NEVER).map(lambda seconds: EPOCH + dt.timedelta(seconds=seconds))
ENTRY = st.tuples(
    st.integers(1, 2**159 - 1) | st.integers(1, 300) | st.integers(0, 151).map(lambda bits: 0x80 << bits),
    MOMENTS,
    st.sampled_from(sorted(crl_reasons.NUMBERS.values())),
    st.none() | MOMENTS,
)
TURN = dt.datetime(2050, 1, 1, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def seconds(moment: dt.datetime) -> int:
    return int((moment - EPOCH).total_seconds())


def octets(serial: int) -> bytes:
    return bytes.fromhex(serials.text(serial))


def ours(entries) -> list[bytes]:
    return [
        crl.entry(octets(serial), seconds(moment), reason, None if since is None else seconds(since))
        for serial, moment, reason, since in entries
    ]


def library(entries, number, this, ends, key, *, point=None, expired=None) -> x509.CertificateRevocationList:
    revoked = []
    for serial, moment, reason, since in entries:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
        if reason:
            entry = entry.add_extension(x509.CRLReason(FLAGS[reason]), critical=False)
        if since is not None:
            entry = entry.add_extension(x509.InvalidityDate(since), critical=False)
        revoked.append(entry.build())
    builder = x509.CertificateRevocationListBuilder(revoked_certificates=revoked)
    builder = builder.issuer_name(NAME).last_update(this).next_update(ends)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier(SKI, None, None), critical=False)
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    if point is not None:
        scope = x509.IssuingDistributionPoint([x509.UniformResourceIdentifier(point)], None, False, False, None, False, False)
        builder = builder.add_extension(scope, critical=True)
    if expired is not None:
        value = b"\x18\x0f" + f"{expired:%Y%m%d%H%M%SZ}".encode()
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.60"), value), critical=False)
    return builder.sign(key, hashes.SHA256() if key is RSA_KEY else hashes.SHA384())


def frame(number, this, ends, key, *, point=None, expired=None) -> crl.Frame:
    return crl.Frame(
        issuer=NAME.public_bytes(),
        algorithm=ALGORITHMS["rsa", "sha256"] if key is RSA_KEY else ALGORITHMS["ec", "sha384"],
        this_update=seconds(this),
        next_update=seconds(ends),
        extensions=crl.extensions(
            ski=SKI, number=number, point=point, expired_since=None if expired is None else seconds(expired)
        ),
    )


@hypothesis_settings(max_examples=400, deadline=None, derandomize=True)
@given(
    entries=st.lists(ENTRY, max_size=40),
    number=st.integers(0, 2**159 - 1),
    this=MOMENTS,
    ends=MOMENTS,
    elliptic=st.booleans(),
    point=st.none() | st.just("http://127.0.0.1:8002/crl/demo-7.crl"),
    expired=st.none() | MOMENTS.filter(lambda moment: moment.year > 1000),
)
@example([(1, TURN - SECOND, 0, TURN), (127, TURN, 1, None), (128, TURN, 9, TURN)], 0, TURN - SECOND, TURN, False, None, None)
@example([], 1, TURN - SECOND, TURN, True, None, None)
def test_lists_are_those_of_the_librarys_builder_octet_by_octet(entries, number, this, ends, elliptic, point, expired):
    key = EC_KEY if elliptic else RSA_KEY
    this, ends = min(this, ends), max(this, ends)
    expected = library(entries, number, this, ends, key, point=point, expired=expired)
    der = expected.public_bytes(Encoding.DER)
    made = frame(number, this, ends, key, point=point, expired=expired)
    body = b"".join(ours(entries))
    assert made.before(len(body)) + body + made.after() == expected.tbs_certlist_bytes
    assert made.whole(ours(entries), expected.signature) == der
    found = crl_reader.read(io.BytesIO(der), hash_name="sha384" if elliptic else "sha256")
    assert found.entries == len(entries)
    assert found.is_signed_by(key.public_key())
    assert found.issuer == NAME.public_bytes()
    assert (found.frame.last_update_utc, found.frame.next_update_utc) == (this, ends)
    assert list(found.frame.extensions) == list(expected.extensions)


def test_lengths_of_every_form():
    """Around each number of octets that a length can take, the list is the library's."""
    now = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    for count in (1, 2, 3, 4, 5, 7, 8, 1_560, 1_570, 1_900):
        entries = [(0x80 << 112 | index, now, 4, None) for index in range(count)]
        expected = library(entries, 7, now, now + dt.timedelta(days=2), RSA_KEY)
        made = frame(7, now, now + dt.timedelta(days=2), RSA_KEY)
        assert made.whole(ours(entries), expected.signature) == expected.public_bytes(Encoding.DER)
    assert len(made.whole(ours(entries), expected.signature)) > 65_536


@pytest.mark.parametrize("bits", [160, 153])
def test_serials_of_twenty_octets_are_read_by_others(bits):
    """Longer than what the library builds: an imported CA may have used all of the 20 octets."""
    serial = 2**bits - 1
    der = frame(1, TURN, TURN, RSA_KEY).whole(ours([(serial, TURN, 1, None)]), bytes(256))
    assert [entry.serial_number for entry in x509.load_der_x509_crl(der)] == [serial]


@pytest.mark.parametrize(
    ("serial", "moment", "reason", "since"),
    [
        (b"", 0, 0, None),
        (b"\0", 0, 0, None),
        (b"\0\x01", 0, 0, None),
        (b"\x01" * 21, 0, 0, None),
        (b"\x01", 0, 6, None),
        (b"\x01", 0, 7, None),
        (b"\x01", 0, 8, None),
        (b"\x01", 0, 10, None),
        (b"\x01", 0, -1, None),
        (b"\x01", seconds(dt.datetime(1950, 1, 1, tzinfo=dt.UTC)) - 1, 0, None),
        (b"\x01", der.NEVER + 1, 0, None),
        (b"\x01", 0, 0, der.NEVER + 1),
        (b"\x01", 0, 0, -62_135_596_801),
    ],
)
def test_what_has_no_encoding_is_refused(serial, moment, reason, since):
    with pytest.raises(ValueError, match=r"^(not|a) "):
        crl.entry(serial, moment, reason, since)


@pytest.mark.parametrize("number", [-1, 2**159])
def test_a_number_outside_of_twenty_octets_is_refused(number):
    with pytest.raises(ValueError, match="20 octets"):
        crl.extensions(ski=SKI, number=number)


def test_a_list_that_never_ends_says_so():
    whole = crl.Frame(NAME.public_bytes(), ALGORITHMS["rsa", "sha256"], 0, None, ()).before(0)
    assert whole.endswith(b"\x18\x0f99991231235959Z")


SAMPLE = library([(index + 2**100, TURN, 4, None) for index in range(30)], 5, TURN - SECOND, TURN, RSA_KEY).public_bytes(
    Encoding.DER
)


@hypothesis_settings(max_examples=600, deadline=None, derandomize=True)
@given(place=st.integers(0, len(SAMPLE) - 1), change=st.integers(1, 255))
def test_no_list_that_was_changed_passes_for_the_one_that_was_signed(place, change):
    """Whatever octet is changed, the reader refuses the list, or its signature does not verify, or its number differs."""
    wrong = SAMPLE[:place] + bytes([SAMPLE[place] ^ change]) + SAMPLE[place + 1 :]
    try:
        found = crl_reader.read(io.BytesIO(wrong), hash_name="sha256")
    except crl_reader.NotACrl:
        return
    assert not found.is_signed_by(RSA_KEY.public_key())


@pytest.mark.parametrize("cut", [0, 1, 5, 300, len(SAMPLE) - 1])
def test_a_list_that_is_cut_or_goes_on_is_refused(cut):
    for wrong in (SAMPLE[:cut], SAMPLE + SAMPLE[: cut + 1]):
        with pytest.raises(crl_reader.NotACrl):
            crl_reader.read(io.BytesIO(wrong), hash_name="sha256")


@given(serial=st.integers(1, 2**159), shards=st.sampled_from(crl_shards.SHARDS))
def test_the_shard_is_told_by_the_last_octet(serial, shards):
    shard = crl_shards.shard_of(serial, shards)
    assert 0 <= shard < shards
    homes = [each for each in range(shards) if serials.text(serial)[-2:] in crl_shards.endings(each, shards)]
    assert homes == [shard]
