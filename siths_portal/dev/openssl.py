"""Keys, certificates and signatures of the development environment, by the command `openssl`."""

import subprocess
from pathlib import Path

from siths_portal.dev.progress import HouseError

EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")


def run(*arguments: str) -> str:
    """Returns what the command prints. Raises HouseError with its error."""
    try:
        done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise HouseError("openssl is not installed", 2) from None
    if done.returncode:
        raise HouseError(f"openssl {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def new_key() -> str:
    """Returns a new P-256 key in PEM. Raises HouseError."""
    return run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def make_certificate(common_name: str, key: Path, certificate: Path, *extensions: str, days: int) -> None:
    """Writes a P-256 key and a self-signed certificate with these extensions, both in PEM. Raises HouseError."""
    run("req", "-x509", *EC_KEY, *_files(common_name, key, certificate, extensions, days))


def make_server_certificate(names: list[str], key: Path, certificate: Path, *, ca: tuple[Path, Path], days: int) -> None:
    """Writes a P-256 key and a certificate for TLS servers of these names, issued by the CA of key and certificate `ca`."""
    alternative = ",".join(f"DNS:{name}" for name in names)
    extensions = (f"subjectAltName={alternative}", "extendedKeyUsage=serverAuth", "basicConstraints=critical,CA:FALSE")
    issuer = ("-CAkey", str(ca[0]), "-CA", str(ca[1]))
    run("req", "-x509", *EC_KEY, *issuer, *_files(names[0], key, certificate, extensions, days))


def _files(common_name: str, key: Path, certificate: Path, extensions: tuple[str, ...], days: int) -> list[str]:
    added = [word for extension in extensions for word in ("-addext", extension)]
    place = ["-keyout", str(key), "-out", str(certificate), "-days", str(days), "-subj", f"/CN={common_name}"]
    return [*place, *added]
