"""Imports and the status page in Chromium at a real portal, looked at on each page by axe and at both widths."""

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from pki.crl import building
from pki.models import CaImport, CrlScope, StatusReport
from pki.ocsp import presigning
from pki.operators import status_measures
from siths_portal.lib import clock
from tests.e2e.looking import Looker
from tests.issuance.operators import imports
from tests.issuance.operators.operators import operator
from tests.issuance.search.test_browser import desk
from tests.lib.faces import KeptPortal
from tests.pki.orders import card, plan

SECONDS = 60_000


@pytest.fixture(scope="module")
def portal(pki_snapshot: Any, kept_portal: KeptPortal) -> str:
    """A portal whose settings name the tests' own tokens and folders."""
    return kept_portal.url()


def progress(page: Page, text: str) -> None:
    """The numbers that the page fetched by itself."""
    expect(page.locator("label[for=framsteg]")).to_have_text(text, timeout=SECONDS)


def test_an_import_is_followed_to_its_report(world: Any, demo_pki: Any, portal: str, browser: Browser) -> None:
    eye = Looker("operators-imports")
    with desk(browser, portal, operator(world)) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/pki/importer/")
        eye.look(page, "empty")
        request = imports.approved(imports.asked(), operator(world, "Nanna").ref, operator(world, "Sigrid").ref)
        imports.asked("person-id-3", inputs="ab" * 32)
        page.reload()
        eye.look(page, "list")
        page.get_by_role("link", name="DEMO SITHS e-id Person HSA-id 3 CA v1").click()
        eye.look(page, "approved")
        row = imports.begun(request)
        page.reload()
        eye.look(page, "cut off")
        with imports.at_work():
            page.reload()
            progress(page, "5\u00a0000 av 12\u00a0000 rader inlästa")
            CaImport.objects.update(position=10_000, last_batch_at=clock.now())
            progress(page, "10\u00a0000 av 12\u00a0000 rader inlästa")  # without a reload
            eye.look(page, "under way")
            row.refresh_from_db()
            imports.finished(row)
        # The page draws itself anew when the state changes.
        expect(page.get_by_role("heading", name="Rapport", exact=True)).to_be_visible(timeout=SECONDS)
        eye.look(page, "finished")
        page.get_by_role("link", name="Står på gamla listan men saknas").click()
        eye.look(page, "findings")
        page.goto(portal + reverse("pki_import", args=[request.id]))
        with page.expect_download() as saved:
            page.get_by_role("link", name="Hämta rapporten (text)").click()
        assert saved.value.suggested_filename.startswith("import-")
        page.emulate_media(media="print")
        expect(page.get_by_role("navigation", name="Huvudmeny")).not_to_be_visible()
        expect(page.get_by_role("heading", name="Rapport", exact=True)).to_be_visible()
        eye.keep(page, "print.png")


def test_without_script_it_is_followed_by_a_link(world: Any, demo_pki: Any, portal: str, browser: Browser) -> None:
    row = imports.begun(imports.approved(imports.asked()))
    with desk(browser, portal, operator(world), java_script_enabled=False) as page, imports.at_work():
        page.goto(portal + reverse("pki_import", args=[row.approval_request_id]))
        progress(page, "5\u00a0000 av 12\u00a0000 rader inlästa")
        CaImport.objects.update(position=7_000)
        page.get_by_role("link", name="Uppdatera sidan").click()
        progress(page, "7\u00a0000 av 12\u00a0000 rader inlästa")
        page.get_by_role("link", name="Uppdatera med 10 sekunders mellanrum").click()
        CaImport.objects.update(position=9_000)
        progress(page, "9\u00a0000 av 12\u00a0000 rader inlästa")  # by itself


def test_the_status_page_is_looked_at(world: Any, demo_pki: Any, portal: str, browser: Browser) -> None:
    eye = Looker("operators-status")
    with desk(browser, portal, operator(world)) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/pki/ocsp/status/")
        eye.look(page, "not looked")
        plan(*card())
        demo_pki.settle()
        presigning.presign_due(limit=10_000)
        building.publish_online()
        status_measures.measure()
        now = clock.now().timestamp()
        process = {"generation": "index-12", "followed_at": now, "answered": 12_345_678, "errors": 4_711, "told_at": now}
        StatusReport.objects.update(
            store={"generation": "index-12", "followed_at": now},
            processes=[process | {"pid": pid, "started_at": now - 86_400} for pid in (4711, 4712)],
        )
        page.reload()
        eye.look(page, "all well")
        CrlScope.objects.filter(ca__slug="person-hsaid-3").update(failures=4, retry_at=clock.now())
        CrlScope.objects.filter(ca__slug="function").update(newest=None)
        StatusReport.objects.update(store={"generation": "index-12", "followed_at": now - 5_000}, processes=[])
        page.reload()
        eye.look(page, "troubles")
