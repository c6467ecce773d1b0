"""People who approve ceremonies in tests, with keys of their own and OpenSSL to sign with, and a short ceremony file."""

import datetime as dt
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Person:
    """Somebody with a key and a self-signed certificate in files."""

    name: str
    folder: Path

    @property
    def key(self) -> Path:
        return self.folder / f"{self.name}.key"

    @property
    def certificate(self) -> Path:
        return self.folder / f"{self.name}.pem"

    @property
    def pem(self) -> str:
        return self.certificate.read_text()

    def sign(self, file: Path, *options: str, form: str = "DER", out: str = "") -> Path:
        """The file's signature by `openssl cms -sign`."""
        signature = self.folder / (out or f"{self.name}.p7s")
        openssl(
            "cms", "-sign", "-binary", "-md", "sha256", "-in", file, "-signer", self.certificate, "-inkey", self.key,
            "-outform", form, "-out", signature, *options,
        )  # fmt: skip
        return signature


def person(
    name: str, folder: Path, *, key=None, since: dt.timedelta = -DAY, until: dt.timedelta = 30 * DAY, usage=None
) -> Person:
    """Makes a person whose certificate is valid from `since` to `until`, counted from now."""
    made = Person(name, folder)
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now + since).not_valid_after(now + until)
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    made.certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    made.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key for `person`."""
    return rsa.generate_private_key(65537, bits)


def openssl(*arguments: object) -> str:
    """What OpenSSL says; its failure is the test's."""
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def approval(approvers: list[Person], *, required: int = 2, requester: str = "Kim") -> str:
    """The part of a file that says who approves, with certificates in it."""
    text = f"approval:\n  requester: {requester}\n  required: {required}\n  approvers:\n"
    for each in approvers:
        pem = "".join(f"        {line}\n" for line in each.pem.splitlines())
        text += f"    - name: {each.name}\n      certificate: |\n{pem}"
    return text


def ceremony_file(approvers: list[Person], rest: str = "secret_keys: true\n", **values) -> str:
    """A file that these may approve. It makes the house's own keys and no CA, unless `rest` says otherwise."""
    return (
        "ceremony: Prov\nenvironment: test\n"
        "participants:\n  - {role: Ceremoniledare, name: Kim}\n  - {role: Vittne, name: Lo}\n"
        f"{approval(approvers, **values)}{rest}"
    )


def issued(name: str, folder: Path, *, key: str = "ec") -> Person:
    """A person, or a service, with a function certificate of our own CA, ordered by OpenSSL's request."""
    from django.core.management import call_command

    made = Person(name, folder)
    kind = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256") if key == "ec" else (key,)
    host, request = f"{name.lower()}.example.org", folder / f"{name}.csr"
    openssl(
        "req", "-new", "-newkey", *kind, "-noenc", "-keyout", made.key, "-out", request,
        "-subj", f"/C=SE/O=Demo/CN={host}", "-addext", f"subjectAltName=DNS:{host}",
    )  # fmt: skip
    call_command("pki_issue", profile="function", csr=request, out=made.certificate)
    return made


def three(folder: Path) -> list[Person]:
    """Three who may approve."""
    return [person(name, folder) for name in ("Ada", "Bo", "Cleo")]


def written(approvers: list[Person], folder: Path, *rest: str) -> Path:
    """A ceremony file of theirs, as `ceremony_file` makes it."""
    path = folder / "ceremony.yaml"
    path.write_text(ceremony_file(approvers, *rest))
    return path
