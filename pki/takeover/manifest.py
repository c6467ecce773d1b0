"""`import.yaml`: which CA a folder holds, in which format, and how we shall operate the CA."""

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pki.domain.ceremony_nodes import CeremonyFileError, Node, load
from pki.domain.crl_shards import SHARDS
from pki.models.choices import SerialMode
from pki.takeover import ca_products, sources
from pki.takeover.findings import plain
from pki.takeover.records import Source, der_of
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Invalid
from siths_portal.lib.imports.row_faults import RowFault

NAME = "import.yaml"
FORMATS = ("files", "jsonl", "csv", "xipki", "ejbca")
_CHUNK = 1 << 20
_FEW = 100


@dataclass(frozen=True)
class Manifest:
    """A folder to import. `key_id` is CKA_ID in hex, empty for a CA whose key is not here; `parent` a slug, empty for a root.

    `crl_shards` is above 1 only for a CA whose certificates name the CRLs of shards, as ours do (`domain.crl_shards`).
    `hold` decides about certificates on hold, a status that we do not take over: `refuse` (the import) or `revoke` (permanently).
    """

    folder: Path
    format: str
    slug: str
    generation: int
    parent: str
    certificate_file: Path
    certificate: bytes
    token: str
    key_id: str
    crl_period: dt.timedelta
    crl_validity: dt.timedelta
    crl_shards: int
    serials: str
    xipki_name: str
    hold: str
    sha256: str

    @property
    def source(self) -> Source:
        """Returns the reader of the folder's certificates, by its format."""
        if self.format == "xipki":
            return ca_products.XiPki(self.folder, self.xipki_name)
        kinds: dict[str, Callable[[Path], Source]] = {
            "files": sources.CertificateFiles,
            "jsonl": sources.CertificateLines,
            "csv": sources.CertificateTable,
            "ejbca": ca_products.Ejbca,
        }
        return kinds[self.format](self.folder)

    @property
    def tells_status(self) -> bool:
        """Returns whether the format has the certificates' status."""
        return self.format != "files"

    @property
    def list_files(self) -> list[Path]:
        """Returns the old CRLs of `crls/`, by name."""
        return sorted(path for path in (self.folder / "crls").glob("*") if path.suffix.lower() in (".crl", ".der", ".pem"))

    @property
    def paper_file(self) -> Path | None:
        """Returns the file of revocation requests on paper, or None if there is none."""
        path = self.folder / "revocations.csv"
        return path if path.is_file() else None

    def inputs(self) -> list[dict[str, object]]:
        """Returns every file that the import reads, with size and SHA-256.

        Many certificate files count as one, with the hash of their list. Reads all files, a piece at a time. Raises Invalid.
        """
        others_ = [self.folder / NAME, self.certificate_file, *self.list_files, *filter(None, [self.paper_file])]
        described, source = [_described(path, self.folder) for path in others_], self.source.inputs()
        if len(source) <= _FEW:
            return [*described, *(_described(path, self.folder) for path in source)]
        hashed, size = hashlib.sha256(), 0
        for path in source:
            each = _described(path, self.folder)
            hashed.update(canonical_json(each))
            size += int(str(each["size"]))
        return [*described, {"name": "certificates/", "files": len(source), "size": size, "sha256": hashed.hexdigest()}]


def read(folder: Path) -> Manifest:
    """Returns the manifest of the folder. Raises Invalid."""
    path = folder / NAME
    try:
        content = path.read_bytes()
        return _read(folder, content)
    except (OSError, UnicodeDecodeError):
        raise Invalid("import-manifest", f"{path} går inte att läsa.") from None
    except CeremonyFileError as error:
        raise Invalid("import-manifest", f"{NAME}: {error}.") from None
    except RowFault:
        raise Invalid("ca-certificate", f"Utfärdarens certifikat i {folder} går inte att läsa.") from None


def _read(folder: Path, content: bytes) -> Manifest:
    root = Node(NAME, load(content.decode())).closed("format", "ca", "hold", "xipki_name")
    ca = root.mapping("ca").closed(
        "slug", "generation", "parent", "certificate", "token", "key_id", "crl_period", "crl_validity", "crl_shards", "serials"
    )
    shards = ca.number("crl_shards", 1)
    if shards not in SHARDS:
        raise ca.fault(f"crl_shards ska vara något av {', '.join(map(str, SHARDS))}")
    given = folder / ca.text("certificate", "ca.cer")
    if not given.resolve().is_relative_to(folder.resolve()):
        raise ca.fault("certificate ska ligga i mappen")
    key_id = ca.text("key_id", "", longest=40).lower()
    if len(key_id) % 2 or not set(key_id) <= set("0123456789abcdef"):
        raise ca.fault("key_id ska vara hexadecimala siffror")
    if bool(key_id) != ("token" in ca):
        raise ca.fault("token och key_id hör ihop")
    form = root.choice("format", FORMATS)
    if form == "xipki" and "xipki_name" not in root:
        raise root.fault("xipki_name saknas")
    return Manifest(
        folder=folder,
        format=form,
        slug=ca.slug("slug"),
        generation=ca.number("generation", 1),
        parent=ca.slug("parent") if "parent" in ca else "",
        certificate_file=given,
        certificate=der_of(given.read_bytes()),
        token=ca.text("token", "", longest=32),
        key_id=key_id,
        crl_period=ca.duration("crl_period"),
        crl_validity=ca.duration("crl_validity"),
        crl_shards=shards,
        serials=ca.choice("serials", tuple(SerialMode.values), SerialMode.TIME_RANDOM.value),
        xipki_name=root.text("xipki_name", ""),
        hold=root.choice("hold", ("refuse", "revoke"), "refuse"),
        sha256=sha256_hex(content),
    )


def _described(path: Path, folder: Path) -> dict[str, object]:
    hashed, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                hashed.update(chunk)
                size += len(chunk)
    except OSError:
        raise Invalid("import-folder", f"{path.name} går inte att läsa.") from None
    return {"name": plain(path.relative_to(folder).as_posix()), "size": size, "sha256": hashed.hexdigest()}
