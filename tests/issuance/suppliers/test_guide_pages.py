"""The guide for suppliers says what the code says: tables, samples, the file of clients, the example of a PUK, links."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import get_commands, load_command_class

from authn import clients_file
from pki.domain import jwe
from tests.issuance.suppliers.guide import GUIDE, ROOT, SECTIONS, filled
from tests.tls import SmallCa

PAGES = sorted(path.name for path in GUIDE.glob("*.md"))


def blocks(page: str, language: str) -> list[str]:
    """The contents of a page's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (GUIDE / page).read_text(), re.M | re.S)


@pytest.mark.parametrize("page", sorted(SECTIONS))
def test_the_parts_that_are_made_are_those_of_the_code(page: str) -> None:
    assert (GUIDE / page).read_text() == filled(page), "run: python -m tests.issuance.suppliers.guide"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_a_page_and_a_heading(page: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", (GUIDE / page).read_text()):
        path, _, anchor = target.partition("#")
        file = (GUIDE / path).resolve() if path else GUIDE / page
        assert file.exists(), target
        headings = re.findall(r"^#+ (.+)$", file.read_text(), re.M) if anchor else []
        assert anchor in ["", *(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)], target


def test_every_page_can_be_found_from_the_first() -> None:
    text = (GUIDE / "README.md").read_text()
    assert [page for page in PAGES if page != "README.md" and f"({page})" not in text] == []


def test_the_file_of_clients_is_one_that_the_portal_loads(tmp_path: Path) -> None:
    (sample,) = blocks("clients-file.md", "yaml")
    ca = SmallCa()
    for name in re.findall(r"[\w-]+\.pem", sample):
        certificate = x509.load_pem_x509_certificate(ca.issue(name).pem)
        (tmp_path / name).write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "clients.yaml").write_text(sample)
    entries = clients_file.read(tmp_path / "clients.yaml")
    assert [len(entry.certificates) for entry in entries] == [2, 2]
    assert [certificate.revoked for certificate in entries[1].certificates] == [False, True]
    page = (GUIDE / "clients-file.md").read_text()
    given = {name for entry in yaml.safe_load(sample)["clients"] for name in entry}
    for field in given | {"file", "thumbprint", "revoked", "certificate_subject", "key_attestation", "push"}:
        assert f"| `{field}` |" in page


def test_the_commands_of_operators_exist_with_their_options() -> None:
    lines = [line for page in PAGES for block in blocks(page, "operator") for line in block.splitlines()]
    assert len(lines) == 5
    for line in lines:
        program, name, *words = shlex.split(line)
        assert program == "manage.py"
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        known = {option for action in parser._actions for option in action.option_strings}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_the_example_of_a_puk_opens_and_its_steps_are_those_of_the_format() -> None:
    (text,) = blocks("puk.md", "json vector")
    sample = json.loads(text)

    def private(jwk: dict[str, str]) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(jwe._decode(jwk["d"])), ec.SECP256R1())

    parsed = jwe.parse(sample["jwe"])
    assert parsed.iv.hex() == sample["iv"]
    assert parsed.ephemeral == private(sample["own"]).public_key()
    shared = private(sample["portal"]).exchange(ec.ECDH(), parsed.ephemeral)
    assert shared.hex() == sample["z"]
    assert jwe.decrypt(parsed, shared).decode() == sample["puk"]
    named = set(re.findall(r"^\| `(\w+)` \|", (GUIDE / "puk.md").read_text(), re.M))
    assert set(parsed.header) <= named
    assert sample["z"] in blocks("puk.md", "sh")[3]


def test_the_example_opens_what_the_portal_encrypts_for_a_letter(tmp_path: Path) -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    public = jwe.public_jwk(own.public_key(), "")
    header = {"kid": "0" * 64, "order": "o", "item": "1", "serial": "9752815668459366205"}
    text = jwe.encrypt(b"31415926", {name: public[name] for name in ("kty", "crv", "x", "y")}, header)
    key, sealed = tmp_path / "letter.key", tmp_path / "puk.jwe"
    key.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    sealed.write_text(text)
    done = subprocess.run(["node", GUIDE / "example" / "letter.mjs", key, sealed], capture_output=True, text=True, check=True)
    assert done.stdout == "o 1 6205 31415926\n"


def test_the_example_is_named_file_by_file() -> None:
    files = {path.name for path in (GUIDE / "example").iterdir()}
    page = (GUIDE / "sandbox.md").read_text()
    assert set(re.findall(r"\(example/(\S+\.mjs)\)", page)) == files
    assert (ROOT / "docs" / "supplier" / "example" / "client.mjs").read_text().startswith("//")


def test_the_guide_says_how_long_the_example_is() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in (GUIDE / "example").iterdir()}
    assert max(lines.values()) < 300
    told = re.search(r"in ([\d,]+) lines of Node", (GUIDE / "README.md").read_text())
    assert told
    assert round(sum(lines.values()), -2) == int(told[1].replace(",", ""))
    told = re.search(r"with Node alone, in (\d+) lines", (GUIDE / "puk.md").read_text())
    assert told
    assert round(lines["puk.mjs"], -1) == int(told[1])
