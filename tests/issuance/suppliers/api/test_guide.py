"""The commands of docs/supplier, run as they stand by bash against the running API, and their responses compared."""

import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.issuance.suppliers.api import sweeping
from tests.issuance.suppliers.api.stage import Stage
from tests.issuance.suppliers.api.test_surface import png
from tests.issuance.suppliers.api.world import World
from tests.issuance.suppliers.attesting import CardMaker
from tests.issuance.suppliers.guide import GUIDE

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = [path.name for path in sorted(GUIDE.glob("*.md")) if "```sh\n" in path.read_text()]
_BLOCK = re.compile(r"^```(sh|json|text)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A block of commands, and the kind and text of the output that stands after it; both are empty if none does."""

    text: str
    kind: str = ""
    output: str = ""


def commands(page: str) -> list[Block]:
    """The blocks of commands of a page."""
    found: list[Block] = []
    for kind, text in _BLOCK.findall((GUIDE / page).read_text()):
        if kind == "sh":
            found.append(Block(text))
        else:
            assert not found[-1].kind, f"{page}: two outputs of one block"
            found[-1] = replace(found[-1], kind=kind, output=text)
    return found


def setting() -> Block:
    """The variables and functions of path.md, which the other pages need."""
    return commands("path.md")[0]


def commands_after_setting(page: str) -> list[Block]:
    """The blocks of a page without those variables and functions."""
    return [block for block in commands(page) if block != setting()]


def shape(value: Any) -> Any:
    """The names and types of a response, and its status. Null may stand for anything."""
    if isinstance(value, dict):
        return {name: inner if name in ("status", "title") else shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return type(value).__name__


def same(documented: Any, returned: Any) -> bool:
    """Whether both have one shape."""
    if isinstance(documented, dict) and isinstance(returned, dict):
        return documented.keys() == returned.keys() and all(same(documented[name], returned[name]) for name in documented)
    if isinstance(documented, list) and isinstance(returned, list):
        return not documented or (bool(returned) and all(same(documented[0], inner) for inner in returned))
    return documented == returned or "NoneType" in (documented, returned)


def run(page: str, folder: Path, environment: dict[str, str]) -> list[str]:
    """Runs a page's commands in one shell, after the functions of path.md. Returns the output of each block."""
    blocks = commands_after_setting(page)
    files = [folder / f"output.{number}" for number in range(len(blocks))]
    parts = [f"exec > {file}\n{block.text}" for file, block in zip(files, blocks, strict=True)]
    script = "\n".join(["set -eu -o pipefail", setting().text, *parts])
    done = sweeping.run(["bash", "-c", script], cwd=folder, env=os.environ | environment)
    outputs = [file.read_text() for file in files if file.exists()]
    assert done.returncode == 0, f"{page}: {done.stderr}\n{outputs[-1:]}"
    return outputs


@pytest.fixture
def attesting(stage: Stage) -> CardMaker:
    """The maker of supplier a's cards, whose root is registered. It need not attest them."""
    maker = CardMaker()
    (stage.folder / "maker.pem").write_bytes(maker.ca.pem)
    stage.register(stage.entry("a", "a") | {"key_attestation": {"required": False, "roots": ["maker.pem"]}})
    return maker


@pytest.fixture
def identity(stage: Stage, tmp_path: Path) -> Path:
    """A folder as `make sandbox` makes it."""
    from pki import service as pki

    folder = tmp_path / "identity"
    folder.mkdir()
    certificate, key = stage.certificates["a"]
    for name, source in (("client.pem", certificate), ("client.key", key), ("ca.pem", stage.server_ca)):
        (folder / name).write_bytes(Path(source).read_bytes())
    root = x509.load_der_x509_certificate(pki.chain("root")[0])
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    return folder


def test_each_command_of_the_guide_runs_and_answers_as_documented(
    worker: Path, world: World, stage: Stage, attesting: CardMaker, identity: Path, tmp_path: Path
) -> None:
    from issuance.customisations.models import CardCustomisation
    from issuance.orders.services import ordering
    from siths_portal.lib import clock

    assert {"path.md", "errors.md", "idempotency.md", "photo.md", "printing.md", "puk.md", "certificates.md"} <= set(PAGES)
    ordering.cancel_order(actor=world.clerk, order_id=UUID(world.order(100)))  # a change to read
    environment = {"API": f"{stage.base_url}/api/supplier/v1", "ID": str(identity), "GUIDE": str(GUIDE)}
    for number, page in enumerate(PAGES):
        CardCustomisation.objects.update(verified_at=clock.now())  # a page puts a new logotype
        for article in ("631", "677"):
            world.order(2 * number + (article == "677"), article=article)
        folder = tmp_path / page
        folder.mkdir()
        (folder / "logotype.png").write_bytes(png())
        attesting.signer.write(folder, "attestation")
        outputs = run(page, folder, environment)
        for block, output in zip(commands_after_setting(page), outputs, strict=True):
            if block.kind == "text":
                assert output.strip() == block.output.strip(), page
            if block.kind == "json":
                assert same(shape(json.loads(block.output)), shape(json.loads(output))), f"{page}: {block.output}\n{output}"
