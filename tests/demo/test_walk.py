"""What the walk leaves of the card with P-256 keys: its number, its certificates and its receipt."""

import json
from pathlib import Path
from typing import Any

import pytest

from billing.records.domain.periods import Month
from issuance.carriers.domain.kinds import CARD_PROFILES
from siths_portal.demo.artefacts import Artefacts
from siths_portal.demo.browsing import Browser
from siths_portal.demo.card_line import CardLine, Issued
from siths_portal.demo.walk import Walk, WalkFault
from tests.pki.authorities import golden

SERIAL, RECEIPT = "9752000000000001123", b"%PDF-1.7 of the card with P-256 keys"


class Made(CardLine):
    """A line whose card is there: it asks nothing of an environment. `keys`: the type of each key on the card."""

    serial = SERIAL  # type: ignore[assignment]
    keys: tuple[str, ...] = ("ec-p256",) * 4

    def collect_certificates(self) -> None:
        for profile, key in zip(CARD_PROFILES, self.keys, strict=True):
            made = golden.leaf(profile, "ec-p384", key).certificate
            self.issued.append(Issued(profile, made, made, f"{self.folder}/{profile}.pem", ""))

    def judged_receipt(self) -> bytes:
        return RECEIPT

    def nothing(self) -> None:
        """Stands for a step that the environment takes."""

    log_in = order = supply = activate = nothing


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Walk:
    """The walk before its first step, without the portal that its clerks open."""
    monkeypatch.setattr(Browser, "open", lambda *_: None)
    monkeypatch.setattr("siths_portal.demo.walk.CardLine", Made)
    return Walk(Artefacts(tmp_path), Month(2026, 10), print)


def walked(walk: Walk) -> None:
    """The walk's own steps with that card, one after the other."""
    own = {walk.order_p256, walk.supply_p256, walk.activate_p256}
    for name, step in walk.steps():
        if step in own:
            with walk.artefacts.step(name):
                step()


def summary(folder: Path) -> Any:
    return json.loads((folder / "summary.json").read_text())


def test_the_summary_names_the_card_its_certificates_and_its_receipt(walk: Walk, tmp_path: Path) -> None:
    walked(walk)
    told = summary(tmp_path)
    assert [step["ok"] for step in told["steps"]] == [True] * 3
    assert told["card_serial_p256"] == SERIAL
    assert told["certificates_p256"] == [f"certificates-p256/{profile}.pem" for profile in CARD_PROFILES]
    assert (tmp_path / told["receipt_pdf_p256"]).read_bytes() == RECEIPT


def test_a_card_with_another_key_stops_the_walk(walk: Walk, tmp_path: Path) -> None:
    walk.p256.keys = ("ec-p256", "ec-p256", "ec-p256", "rsa-2048")  # type: ignore[attr-defined]
    with pytest.raises(WalkFault, match="not on P-256"):
        walked(walk)
    told = summary(tmp_path)
    assert [step["ok"] for step in told["steps"]] == [True, False]
    assert not {"card_serial_p256", "certificates_p256", "receipt_pdf_p256"} & told.keys()
