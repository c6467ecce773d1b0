"""A folder to import that is not as it should be is refused in one sentence, or told row by row; never by a traceback."""

import json
import zipfile
from pathlib import Path

import pytest

from pki.takeover import manifest
from pki.takeover.ca_products import XiPki
from pki.takeover.sources import CertificateTable
from siths_portal.lib.errors import Invalid

NAMED = [{"id": 2, "name": "oldca"}]


def xipki(folder: Path, *, names: bytes = b"1.zip\n", cas: object = NAMED, overview: object = (), files: dict[str, bytes] = {}):  # noqa: B006
    """A folder as XiPKI writes it, with one zip file of certificates and one of lists."""
    (folder / "ca-certstore.json").write_text(json.dumps({"cas": cas}))
    for kind in ("certs", "crls"):
        (folder / kind).mkdir()
        (folder / f"{kind}.mf").write_bytes(names)
        with zipfile.ZipFile(folder / kind / "1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("overview.json", json.dumps({kind: overview}))
            for name, content in files.items():
                archive.writestr(name, content)
    return XiPki(folder, "oldca")


@pytest.mark.parametrize(
    "content", [b"-----BEGIN CERTIFICATE-----\n", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"]
)
def test_a_cas_certificate_that_is_no_pem_is_refused(tmp_path, content):
    (tmp_path / "ca.cer").write_bytes(content)
    (tmp_path / "import.yaml").write_text(
        "format: jsonl\nca:\n  slug: function\n  certificate: ca.cer\n  crl_period: 60m\n  crl_validity: 48h\n"
    )
    with pytest.raises(Invalid) as refused:
        manifest.read(tmp_path)
    assert refused.value.code == "ca-certificate"


@pytest.mark.parametrize("names", [b"/etc/passwd\n", b"../1.zip\n", b"other.zip\n", b"1.zip\0\n", b"\xff.zip\n"])
def test_a_zip_file_elsewhere_or_nowhere_is_refused(tmp_path, names):
    source = xipki(tmp_path, names=names)
    with pytest.raises(Invalid) as refused:
        source.inputs()
    assert refused.value.code == "import-folder"


@pytest.mark.parametrize("cas", [[{"id": "two", "name": "oldca"}], [{"name": "oldca"}], None, [NAMED[0], NAMED[0]]])
def test_a_store_that_does_not_name_the_ca_by_one_number_is_refused(tmp_path, cas):
    source = xipki(tmp_path, cas=cas)
    with pytest.raises(Invalid) as refused:
        list(source.records(0))
    assert refused.value.code == "import-folder"


def test_a_list_that_is_not_in_its_zip_file_is_told_as_any_list_that_is_none(tmp_path):
    source = xipki(tmp_path, overview=[{"caId": 2, "file": "gone.crl"}])
    assert list(source.lists()) == [("1.zip:gone.crl", b"")]


def test_a_certificate_whose_zip_file_is_damaged_is_told(tmp_path):
    source = xipki(tmp_path, overview=[{"caId": 2, "file": "a.der"}], files={"a.der": bytes(range(256)) * 40})
    path = tmp_path / "certs" / "1.zip"
    content = bytearray(path.read_bytes())
    place = content.index(b"a.der") + len("a.der")
    content[place] ^= 0x07  # the first block is of a type that deflate does not have
    path.write_bytes(content)
    (record,) = source.records(0)
    assert record.fault is not None
    assert record.fault.kind == "unreadable"


def test_a_zip_file_that_is_packed_in_another_way_is_read_and_one_that_is_damaged_so_is_told(tmp_path):
    """LZMA has errors of its own, and so has a version of the format that the library does not know."""
    source = xipki(tmp_path)
    path = tmp_path / "certs" / "1.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.der", bytes(range(256)) * 40)
        archive.writestr("overview.json", json.dumps({"certs": [{"caId": 2, "file": "a.der"}]}))
    whole = path.read_bytes()
    (record,) = source.records(0)
    assert record.der == bytes(range(256)) * 40
    content = bytearray(whole)
    content[whole.index(b"a.der") + 20] ^= 0xFF
    path.write_bytes(content)
    (record,) = source.records(0)
    assert (record.fault and record.fault.kind) == "unreadable"
    content = bytearray(whole)
    content[whole.index(b"PK\x01\x02") + 6] = 195
    path.write_bytes(content)
    with pytest.raises(Invalid) as refused:
        list(source.records(0))
    assert refused.value.code == "import-folder"


def test_a_header_line_that_is_too_long_is_refused(tmp_path):
    (tmp_path / "certificates.csv").write_text("serial,der," + "x" * (1 << 20) + "y\n")
    with pytest.raises(Invalid) as refused:
        list(CertificateTable(tmp_path).records(0))
    assert refused.value.code == "import-table"


@pytest.mark.parametrize("shards", [0, 3, 512, "two"])
def test_a_number_of_shards_that_no_ca_may_have_is_refused(tmp_path, shards):
    (tmp_path / "ca.cer").write_bytes(b"0")
    (tmp_path / "import.yaml").write_text(
        f"format: jsonl\nca:\n  slug: function\n  crl_period: 60m\n  crl_validity: 48h\n  crl_shards: {shards}\n"
    )
    with pytest.raises(Invalid, match="import-manifest") as refused:
        manifest.read(tmp_path)
    assert "crl_shards" in refused.value.message


def test_a_ca_has_one_list_unless_its_folder_says_otherwise(tmp_path):
    (tmp_path / "ca.cer").write_bytes(b"0")
    text = "format: jsonl\nca:\n  slug: function\n  crl_period: 60m\n  crl_validity: 48h\n"
    (tmp_path / "import.yaml").write_text(text)
    assert manifest.read(tmp_path).crl_shards == 1
