"""The demo's approvers of key ceremonies: temporary keys that sign one file with `openssl cms` and are then deleted.

The command finds their certificates in `approvers/` and their signatures in `approvals/<hash of the file>/`.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from siths_portal.dev import openssl

APPROVERS = ("granskare-1", "granskare-2", "granskare-3")
"""The names of their certificates in the demo's ceremony file."""
DAYS = 30


def approve(file: Path, folder: Path, approvers: Sequence[str] = APPROVERS[:2]) -> None:
    """Signs the ceremony file as these approvers, into the folder of ceremonies. Every approver gets a new certificate.

    Raises HouseError.
    """
    signatures = folder / "approvals" / hashlib.sha256(file.read_bytes()).hexdigest()
    for each in (folder / "approvers", signatures):
        each.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="siths-approvers-") as keys:
        for name in APPROVERS:
            key, certificate = Path(keys) / name, folder / "approvers" / f"{name}.pem"
            make_certificate(name, key, certificate)
            if name in approvers:
                sign(file, key, certificate, signatures / f"{name}.p7s")


def make_certificate(name: str, key: Path, certificate: Path, *, days: int = DAYS) -> None:
    """Writes a P-256 key and a self-signed certificate, both in PEM. Raises HouseError."""
    openssl.make_certificate(f"DEMO {name}", key, certificate, "keyUsage=critical,digitalSignature", days=days)


def sign(file: Path, key: Path, certificate: Path, signature: Path) -> None:
    """Writes a detached CMS signature over the file's bytes, with SHA-256. Raises HouseError."""
    openssl.run(
        "cms", "-sign", "-binary", "-md", "sha256", "-in", str(file), "-signer", str(certificate), "-inkey", str(key),
        "-outform", "DER", "-out", str(signature),
    )  # fmt: skip
