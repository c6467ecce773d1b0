"""A CA as another installation had it: made, used and revoked by OpenSSL, its key moved into the token of the test."""

import base64
import copy
import datetime as dt
import json
import os
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from django.conf import settings
from django.core.management import CommandError, call_command

from pki.approvals import dual_control
from pki.models import ApprovalRequest
from tests.pki_fixtures import TEST_PIN

KEY_ID = "0a1b2c3d"
CONFIG = """
[ca]
default_ca = this
[this]
dir = {folder}
database = {folder}/index.txt
serial = {folder}/serial
crlnumber = {folder}/crlnumber
new_certs_dir = {folder}/new
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
default_days = 800
default_crl_days = 2
unique_subject = no
policy = any
x509_extensions = leaf
crl_extensions = crl
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[crl]
authorityKeyIdentifier = keyid
[ca_ext]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[req]
distinguished_name = dn
prompt = no
[dn]
CN = unused
"""


def openssl(*command: object) -> str:
    done = subprocess.run(["openssl", *map(str, command)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass
class OldCa:
    """An `openssl ca` with eight certificates, of which some are revoked, and its CRL number 41 (hex 29)."""

    folder: Path
    name: str = "OLD SITHS Type CA v1"
    issued: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.folder / "new").mkdir()
        self.configure()
        (self.folder / "index.txt").touch()
        (self.folder / "serial").write_text("5A0000000000000000000000000001\n")
        (self.folder / "crlnumber").write_text("29\n")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key)
        subject = ("-x509", "-days", 4000, "-subj", f"/C=SE/O=Old AB/CN={self.name}", "-extensions", "ca_ext")
        openssl("req", "-new", "-config", self.config, "-key", self.key, *subject, "-out", self.certificate)

    def configure(self) -> None:
        """The settings of `openssl ca`, which name its folder."""
        self.config.write_text(CONFIG.format(folder=self.folder))

    @property
    def config(self) -> Path:
        return self.folder / "openssl.cnf"

    @property
    def key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def der(self) -> bytes:
        return x509.load_pem_x509_certificate(self.certificate.read_bytes()).public_bytes(Encoding.DER)

    def issue(self, count: int) -> list[Path]:
        """Certificates by `openssl ca`."""
        for number in range(len(self.issued), len(self.issued) + count):
            key, request, out = (self.folder / f"{number}.{end}" for end in ("key", "csr", "pem"))
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
            openssl("req", "-new", "-config", self.config, "-key", key, "-subj", f"/CN=Person {number}", "-out", request)
            openssl("ca", "-config", self.config, "-batch", "-notext", "-in", request, "-out", out)
            self.issued.append(out)
        return self.issued

    def revoke(self, number: int, reason: str = "superseded") -> None:
        openssl("ca", "-config", self.config, "-revoke", self.issued[number], "-crl_reason", reason)

    def crl(self, name: str = "old.crl") -> bytes:
        """The next CRL, DER."""
        path = self.folder / name
        openssl("ca", "-config", self.config, "-gencrl", "-out", path)
        return x509.load_pem_x509_crl(path.read_bytes()).public_bytes(Encoding.DER)

    def index(self) -> dict[str, tuple[dt.datetime | None, str]]:
        """Serial to when and why it was revoked, as openssl's own index has it."""
        found = {}
        for line in (self.folder / "index.txt").read_text().splitlines():
            _flag, _end, revoked, serial, *_rest = line.split("\t")
            moment, _, why = revoked.partition(",")
            at = dt.datetime.strptime(moment, "%y%m%d%H%M%SZ").replace(tzinfo=dt.UTC) if moment else None
            found[serial] = (at, why)
        return found

    def certified_by(self, parent: "OldCa") -> None:
        """Its certificate anew, by another CA."""
        key = load_pem_private_key(self.key.read_bytes(), None)
        signer = load_pem_private_key(parent.key.read_bytes(), None)
        own, above = (x509.load_pem_x509_certificate(each.certificate.read_bytes()) for each in (self, parent))
        builder = x509.CertificateBuilder(above.subject, own.subject, key.public_key(), 4711)
        builder = builder.not_valid_before(own.not_valid_before_utc).not_valid_after(own.not_valid_after_utc)
        for extension in own.extensions:
            if not isinstance(extension.value, x509.AuthorityKeyIdentifier):
                builder = builder.add_extension(extension.value, extension.critical)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        self.certificate.write_bytes(builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM))

    def move_key(self) -> None:
        """As an operator does who has the key from another module."""
        command = ["softhsm2-util", "--import", str(self.key), "--token", settings.PKCS11_TOKEN, "--pin", TEST_PIN]
        subprocess.run([*command, "--label", "old/ca", "--id", KEY_ID], check=True, capture_output=True, env=os.environ)


_used: dict[tuple[int, tuple[tuple[int, str], ...]], tuple[OldCa, dict[Path, bytes]]] = {}


def used_ca(folder: Path, count: int, revoked: Mapping[int, str]) -> OldCa:
    """One that has issued so many certificates and revoked some of them. It is made once a process; later tests have a copy of
    its files, so its key and serials are the same. A stranger of the same name is made anew.
    """
    variant = count, tuple(revoked.items())
    if variant not in _used:
        made = OldCa(folder)
        made.issue(count)
        for number, reason in revoked.items():
            made.revoke(number, reason)
        _used[variant] = made, {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        return made
    made, files = _used[variant]
    old = copy.copy(made)
    old.folder, old.issued = folder, [folder / f"{number}.pem" for number in range(count)]
    (folder / "new").mkdir(parents=True)
    for path, content in files.items():
        (folder / path).write_bytes(content)
    old.configure()
    return old


def certificates(old: OldCa) -> list[x509.Certificate]:
    return [x509.load_pem_x509_certificate(path.read_bytes()) for path in old.issued]


def text(serial: int) -> str:
    value = f"{serial:X}"
    return value if len(value) % 2 == 0 else f"0{value}"


def manifest(folder: Path, old: OldCa, form: str, *, key: bool = True, extra: str = "", slug: str = "function") -> Path:
    """The folder with `import.yaml` and the CA's certificate."""
    folder.mkdir(exist_ok=True)
    (folder / "ca.cer").write_bytes(old.der())
    bound = f'  token: "{settings.PKCS11_TOKEN}"\n  key_id: "{KEY_ID}"\n' if key else ""
    (folder / "import.yaml").write_text(
        f"format: {form}\n{extra}ca:\n  slug: {slug}\n  certificate: ca.cer\n{bound}  crl_period: 60m\n  crl_validity: 48h\n"
    )
    return folder


def add_crl(folder: Path, content: bytes, name: str = "old.crl") -> None:
    (folder / "crls").mkdir(exist_ok=True)
    (folder / "crls" / name).write_bytes(content)


def told(old: OldCa) -> list[dict[str, str]]:
    """The certificates with their statuses in our own columns."""
    index, found = old.index(), []
    for each in certificates(old):
        at, why = index[text(each.serial_number)]
        values = {"serial": text(each.serial_number), "status": "revoked" if at else "issued"}
        values["der"] = base64.b64encode(each.public_bytes(Encoding.DER)).decode()
        if at:
            values |= {"revoked_at": at.isoformat(), "reason": why or "unspecified"}
        found.append(values)
    return found


def as_jsonl(folder: Path, rows: list[dict[str, str]]) -> None:
    (folder / "certificates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def as_files(folder: Path, old: OldCa) -> None:
    """DER, PEM and a PEM bundle with comments."""
    place = folder / "certificates"
    (place / "more").mkdir(parents=True)
    (place / "00.der").write_bytes(certificates(old)[0].public_bytes(Encoding.DER))
    (place / "01.pem").write_bytes(old.issued[1].read_bytes())
    (place / "more" / "rest.pem").write_text("\n".join(f"subject\n{path.read_text()}" for path in old.issued[2:]))


def as_xipki(folder: Path, old: OldCa) -> None:
    """What XiPKI's exporter writes, with another CA's certificates beside."""
    codes = {"keyCompromise": 1, "CACompromise": 2, "superseded": 4, "cessationOfOperation": 5, "": 0}
    index = old.index()
    store = {"version": 2, "countCerts": len(old.issued), "countCrls": 1, "requestors": [], "profiles": []}
    store["cas"] = [{"id": 1, "name": "other"}, {"id": 2, "name": "oldca", "cert": base64.b64encode(old.der()).decode()}]
    (folder / "ca-certstore.json").write_text(json.dumps(store))
    for kind in ("certs", "crls"):
        (folder / kind).mkdir(exist_ok=True)
        (folder / f"{kind}.mf").write_text(f"{kind}_1-9.zip\n")
    with zipfile.ZipFile(folder / "certs" / "certs_1-9.zip", "w") as archive:
        told_ = [{"id": 99, "file": "other.der", "caId": 1, "sn": "01", "rev": 0}]
        for number, each in enumerate(certificates(old), 1):
            serial = text(each.serial_number)
            at, why = index[serial]
            archive.writestr(f"{number}.der", each.public_bytes(Encoding.DER))
            row = {"id": number, "file": f"{number}.der", "caId": 2, "sn": serial.lower(), "ee": True, "rev": int(at is not None)}
            told_.append(row | ({"rr": codes[why], "rt": int(at.timestamp())} if at else {}))
        archive.writestr("overview.json", json.dumps({"certs": told_}))
    with zipfile.ZipFile(folder / "crls" / "crls_1-9.zip", "w") as archive:
        archive.writestr("a.crl", old.crl())
        archive.writestr(
            "overview.json", json.dumps({"crls": [{"id": 1, "caId": 2, "file": "a.crl", "crlNo": "41", "crlScope": 0}]})
        )


def as_ejbca(folder: Path, old: OldCa) -> None:
    """EJBCA's table as PostgreSQL writes it out, column names in lower case."""
    codes, index = {"keyCompromise": 1, "CACompromise": 2, "superseded": 4, "cessationOfOperation": 5, "": 0}, old.index()
    lines = ["fingerprint,base64cert,expiredate,notbefore,revocationdate,revocationreason,serialnumber,status"]
    for each in certificates(old):
        at, why = index[text(each.serial_number)]
        body = base64.encodebytes(each.public_bytes(Encoding.DER)).decode()
        times = int(each.not_valid_after_utc.timestamp() * 1000), int(each.not_valid_before_utc.timestamp() * 1000)
        state = (int(at.timestamp() * 1000), codes[why], each.serial_number, 40) if at else (-1, -1, each.serial_number, 20)
        lines.append(",".join(map(str, ["ab", f'"{body}"', *times, *state])))
    (folder / "CertificateData.csv").write_text("\n".join(lines) + "\n")


def approve(folder: Path) -> None:
    """Asks for the import at the command line, which takes two others to approve."""
    call_command("pki_import", str(folder), request=True, workers=1)
    row = ApprovalRequest.objects.filter(action="import", state="open").get()
    for who in ("user:1", "user:2"):
        dual_control.decide(request_id=row.id, approver_ref=who, decision="approved", document_sha256=row.document_sha256)


def run(folder: Path, **options: object) -> None:
    call_command("pki_import", str(folder), **{"workers": 1, **options})


def run_dry(folder: Path) -> None:
    """A dry run that finds something."""
    with pytest.raises(CommandError, match="avvikelser"):
        run(folder, dry_run=True)


def many(folder: Path, count: int, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None) -> None:
    """A CA of `cryptography` with so many certificates, in `certificates.jsonl`, each tenth revoked, and its list, number 7."""
    key, leaf = key or ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1()).public_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"OLD Many {type(key).__name__} CA")])
    start = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=10)
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + dt.timedelta(days=4000))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    der = builder.add_extension(ski, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    folder.mkdir(exist_ok=True)
    (folder / "ca.cer").write_bytes(der)
    aki = x509.AuthorityKeyIdentifier(ski.digest, None, None)
    revoked_at, listed = start + dt.timedelta(days=1), []
    with (folder / "certificates.jsonl").open("w") as file:
        for number in range(count):
            subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Person {number}")])
            made = x509.CertificateBuilder(name, subject, leaf, (1 << 119) + number, start, start + dt.timedelta(days=800))
            content = made.add_extension(aki, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
            row = {"der": base64.b64encode(content).decode(), "status": "issued"}
            if number % 10 == 0:
                row |= {"status": "revoked", "revoked_at": revoked_at.isoformat(), "reason": "superseded"}
                entry = x509.RevokedCertificateBuilder((1 << 119) + number, revoked_at)
                listed.append(entry.add_extension(x509.CRLReason(x509.ReasonFlags.superseded), critical=False).build())
            file.write(json.dumps(row) + "\n")
    (folder / "import.yaml").write_text(
        "format: jsonl\nca:\n  slug: old-many\n  certificate: ca.cer\n  crl_period: 60m\n  crl_validity: 48h\n"
    )
    now = dt.datetime.now(dt.UTC)
    crl = x509.CertificateRevocationListBuilder(name, now, now + dt.timedelta(days=2), [], listed)
    crl = crl.add_extension(x509.CRLNumber(7), critical=False).add_extension(aki, critical=False)
    add_crl(folder, crl.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))
