"""The list of holders in a real browser: axe in each state, three widths, by mouse and by keyboard, and the file saved."""

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser

from tests.browser import look
from tests.issuance.person_page.test_browser import logged_in
from tests.issuance.search.test_holders import holder, issuer_of


@pytest.mark.usefixtures("authorities")
def test_the_list_its_filters_and_its_file(world: Any, browser: Browser, portal: str) -> None:
    for surname, days in (("Alm", 700), ("Björk", 20)):
        holder(world, surname, days=days)
    holder(world, "Ceder", world.clinic)
    with logged_in(browser, portal, issuer_of(world)) as page:
        page.goto(portal + reverse("organisation", args=[world.region.id]))
        page.get_by_role("link", name="Innehavare", exact=True).click()
        page.wait_for_url("**/innehavare/")
        look(page, "innehavare")
        page.get_by_role("link", name="Namn").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**ordning=-namn")
        assert page.locator("tbody th").all_inner_texts() == ["Ceder, Prov", "Björk, Prov", "Alm, Prov"]
        with page.expect_download() as saved:
            page.get_by_role("link", name="Hämta som CSV").click()
        assert Path(saved.value.path()).read_bytes().decode("utf-8-sig").count("\r\n") == 4
        page.get_by_label("Går ut inom").fill("snart")
        page.keyboard.press("Enter")
        page.wait_for_url("**inom=snart**")
        look(page, "innehavare-fel")
        page.get_by_label("Går ut inom").fill("30")
        page.get_by_role("button", name="Filtrera").click()
        page.wait_for_url("**inom=30**")
        assert page.locator("tbody th").all_inner_texts() == ["Björk, Prov"]
        look(page, "innehavare-snart")
        page.get_by_label("Status").select_option("revoked")
        page.get_by_role("button", name="Filtrera").click()
        page.wait_for_url("**status=revoked**")
        assert page.get_by_text("stämmer med urvalet").count() == 1
        look(page, "innehavare-inga")
