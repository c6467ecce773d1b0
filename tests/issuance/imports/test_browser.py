"""Files of users in Chromium at a real portal: a file with errors, then the mended one, axe and both widths."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from issuance.authz import Role
from issuance.carriers.models import Carrier
from issuance.imports.domain import SetupTable
from issuance.organisations.models import Organisation
from siths_portal.lib.files import workbooks
from tests.e2e.hands import Both
from tests.e2e.looking import Looker
from tests.issuance.imports.test_carrier_import import card, content, of_eid, pair
from tests.issuance.imports.test_setup_import import OFFICE, table, whole
from tests.issuance.operators.test_browser import button, heading
from tests.issuance.organisations.test_browser import told
from tests.issuance.search.test_browser import desk


def test_from_the_file_to_what_was_made(world: Any, portal: str, browser: Browser, tmp_path: Path) -> None:
    content, _ = whole(world)
    wrong = workbooks.build(
        [table(SetupTable.OFFICES, OFFICE, {**OFFICE, "name": "Kontor C", "area": "Regionn", "postal_code": "1"})]
    )
    for name, workbook in (("fel.xlsx", wrong), ("rätt.xlsx", content)):
        (tmp_path / name).write_bytes(workbook)
    hands, eye = Both(), Looker("administration-import")
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/administrera/")
        hands.press(page.get_by_role("link", name="Importera från fil"))
        heading(page, "Importera från fil")
        eye.look(page, "start")
        hands.attach(page.get_by_label("Fil", exact=True), tmp_path / "fel.xlsx")
        hands.press(button(page, "Granska filen"))
        expect(page.get_by_text("1 rad är fel.")).to_be_visible()
        eye.look(page, "errors")
        hands.press(page.get_by_role("link", name="Välj en annan fil"))
        hands.attach(page.get_by_label("Fil", exact=True), tmp_path / "rätt.xlsx")
        hands.press(button(page, "Granska filen"))
        expect(page.get_by_text("Inget är inläst än.")).to_be_visible()
        eye.look(page, "preview")
        hands.press(button(page, "Läs in filen"))
        told(page, "Filen är inläst.")
        eye.look(page, "result")
        hands.press(page.get_by_role("link", name="Vårdcentralen"))
        expect(page.get_by_role("heading", level=1)).to_contain_text("Vårdcentralen")
    assert Organisation.objects.filter(name="Mottagningen").exists()


@pytest.mark.usefixtures("authorities")
def test_cards_from_an_earlier_portal(world: Any, portal: str, browser: Browser, tmp_path: Path) -> None:
    wrong, right = tmp_path / "fel.csv", tmp_path / "rätt.csv"
    rows = [card(world.post(), **of_eid(*pair())), card(world.post())]
    wrong.write_bytes(content(rows[0], rows[1] | {"eid_issuer": "demo-bulk", "eid_auth": "01AB"}))
    right.write_bytes(content(*rows))
    hands, eye = Both(), Looker("cards-import")
    with desk(browser, portal, world.officer(role=Role.MASTER_DATA_ADMIN)) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/administrera/")
        hands.press(page.get_by_role("link", name="Läs in äldre kort"))
        heading(page, "Läs in äldre kort")
        eye.look(page, "start")
        hands.attach(page.get_by_label("Fil", exact=True), wrong)
        hands.press(button(page, "Granska filen"))
        expect(page.get_by_text("Utfärdaren har inget certifikat med serienumret.")).to_be_visible()
        eye.look(page, "errors")
        hands.press(page.get_by_role("link", name="Välj en annan fil"))
        hands.attach(page.get_by_label("Fil", exact=True), right)
        hands.press(button(page, "Granska filen"))
        eye.look(page, "preview")
        page.get_by_label("Läs in korten utan certifikat.").check()
        hands.press(button(page, "Läs in filen"))
        told(page, "Filen är inläst.")
        eye.look(page, "result")
    assert Carrier.objects.filter(origin="migrated").count() == 2
