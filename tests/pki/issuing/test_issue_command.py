"""`pki_issue`: certificates for operators, and what it says when it refuses."""

import ipaddress
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.core.management import CommandError, call_command

from pki.models import Certificate, CertificateAuthority, Event
from tests.pki import orders


@pytest.fixture
def key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def request_file(key, tmp_path):
    names = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Demo Kort AB"),
        x509.NameAttribute(NameOID.COMMON_NAME, "supplier.example.com"),
    ]
    alternative = [
        x509.DNSName("supplier.example.com"),
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    request = builder.add_extension(x509.SubjectAlternativeName(alternative), False).sign(key, hashes.SHA256())
    path = tmp_path / "request.pem"
    path.write_bytes(request.public_bytes(Encoding.PEM))
    return path


def test_names_come_from_the_request(demo_pki, request_file, tmp_path, capsys):
    out = tmp_path / "certificate.pem"
    call_command("pki_issue", profile="function", csr=request_file, out=out, chain=True)
    leaf, ca = x509.load_pem_x509_certificates(out.read_bytes())
    assert ca.public_bytes(Encoding.DER) == bytes(CertificateAuthority.objects.current("function").certificate_der)
    leaf.verify_directly_issued_by(ca)
    assert leaf.subject.rfc4514_string() == "CN=supplier.example.com,O=Demo Kort AB,C=SE"
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["supplier.example.com", "localhost"]
    assert 396 <= (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days <= 398
    row = Certificate.objects.get(subject_ref="function:supplier.example.com")
    assert row.serial in capsys.readouterr().out
    assert Event.objects.get(action="certificate.reserved", subject_ref=str(row.id)).actor_ref.startswith("operator:")


def test_options_go_before_the_request(demo_pki, request_file, capsys):
    call_command(
        "pki_issue",
        "--profile", "function", "--csr", str(request_file), "--ca", "function", "--days", "30",
        "--subject", "countryName=SE", "--subject", "organizationName=Demo AB", "--subject", "commonName=api",
        "--subject", "serialNumber=SE2321000016-F1", "--san", "dNSName=api.example.com", "--san", "iPAddress=::1",
    )  # fmt: skip
    leaf = x509.load_pem_x509_certificate(capsys.readouterr().out.encode())
    assert [each.value for each in leaf.subject] == ["SE", "Demo AB", "api", "SE2321000016-F1"]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each.value) for each in names] == ["api.example.com", "::1"]
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days == 29


def test_the_certificate_serves_and_asks_over_tls(demo_pki, key, request_file, tmp_path):
    out, private, root = tmp_path / "certificate.pem", tmp_path / "key.pem", tmp_path / "root.pem"
    call_command("pki_issue", profile="function", csr=request_file, out=out, chain=True)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    ca = CertificateAuthority.objects.current("root")
    root.write_bytes(x509.load_der_x509_certificate(bytes(ca.certificate_der)).public_bytes(Encoding.PEM))
    for purpose in ("sslserver", "sslclient"):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", root, "-untrusted", out, out]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context in (server, client):
        context.load_cert_chain(out, private)
        context.load_verify_locations(root)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    server.verify_mode = ssl.CERT_REQUIRED
    assert _handshake(server, client, "localhost") == "supplier.example.com"


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> str:
    """The common name that the server saw of the client, after a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server, server_hostname=host), server.wrap_bio(to_server, to_client, server_side=True)]
    done = [False, False]
    for _ in range(10):
        for number, end in enumerate(ends):
            try:
                end.do_handshake()
                done[number] = True
            except ssl.SSLWantReadError:
                pass
    assert done == [True, True]
    return dict(pair[0] for pair in ends[1].getpeercert()["subject"])["commonName"]


LEGAL = [f"{name}={value}" for name, value in orders.LEGAL_SUBJECT.items()]


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"profile": "seal", "subject": LEGAL}, "NTRSE-5560160680"),
        ({"profile": "time-stamp", "subject": LEGAL}, "NTRSE-5560160680"),
    ],
)
def test_each_profile_is_issued_from_the_command(demo_pki, key, tmp_path, capsys, options, subject):
    path = tmp_path / "request.der"
    path.write_bytes(orders.csr(key))
    call_command("pki_issue", csr=path, **options)
    leaf = x509.load_pem_x509_certificate(capsys.readouterr().out.encode())
    assert subject in [attribute.value for attribute in leaf.subject]
    assert leaf.public_key() == key.public_key()


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"profile": "ocsp-signer"}, 2, "ange --ca: function, person-hsaid-2"),
        ({"profile": "function", "subject": ["commonName"]}, 2, "skriv NAMN=VÄRDE"),
        ({"profile": "function", "san": ["x=y"]}, 2, "skriv NAMN=VÄRDE"),
        ({"profile": "function", "days": 399}, 1, "längre än 398 dagar"),
        ({"profile": "function", "ca": "person-id-3"}, 1, "Profilen finns inte hos utfärdaren"),
        ({"profile": "ocsp-signer", "ca": "function"}, 1, "görs bara av PKI:n själv"),
        ({"profile": "seal"}, 1, "organizationIdentifier: Organisationens nummer saknas"),
    ],
)
def test_what_is_refused_is_said_on_one_line(demo_pki, request_file, options, code, text):
    with pytest.raises(CommandError, match=text) as refused:
        call_command("pki_issue", csr=request_file, **options)
    assert refused.value.returncode == code
    assert "\n" not in str(refused.value)


def test_the_help_offers_the_profiles_that_are_issued_here(capsys):
    with pytest.raises(SystemExit):
        call_command("pki_issue", "--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert "certifikatprofil: function, letter, seal, time-stamp" in shown
    assert "person-" not in shown
    with pytest.raises(CommandError, match="okänd certifikatprofil; välj bland function, letter, seal, time-stamp"):
        call_command("pki_issue", "--profile", "nothing", "--csr", "x")


@pytest.mark.parametrize("profile", [*orders.PERSON_PROFILES, "mobile-auth", "mobile-sign", "transport"])
def test_no_operator_makes_a_persons_eid_alone(demo_pki, key, tmp_path, profile):
    ca, subject, alternative = orders.BY_PROFILE[profile]
    path = tmp_path / "request.der"
    path.write_bytes(orders.csr(key))
    names = {"subject": [f"{name}={value}" for name, value in subject.items()], "subject_ref": "person:1"}
    names["san"] = [f"{kind}={value}" for kind, value in alternative.items()]
    with pytest.raises(CommandError, match="beställs i portalen") as refused:
        call_command("pki_issue", profile=profile, ca=ca, csr=path, **names)
    assert refused.value.returncode == 1
    assert not Certificate.objects.filter(subject_ref="person:1").exists()


def test_what_is_no_request_is_wrong_use(tmp_path):
    path = tmp_path / "x"
    for content in (b"", b"-----BEGIN X-----"):
        path.write_bytes(content)
        with pytest.raises(CommandError) as refused:
            call_command("pki_issue", profile="function", csr=path)
        assert refused.value.returncode == 2
