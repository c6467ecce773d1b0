"""A revocation above the limit, in two browsers: the first officer reads that it waits, the second decides (ADR 0297)."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Browser, expect

from issuance.authz import Role
from issuance.carriers.models import Carrier
from issuance.revocation.services import revocation
from tests.browser import look
from tests.issuance.person_page.test_browser import logged_in


def test_what_exceeds_the_limit_waits_for_a_second_officer(world: Any, browser: Browser, portal: str) -> None:
    officer, second = world.officer(), world.officer(role=Role.REVOKER)
    *earlier, card = [world.order().carrier for _ in range(settings.REVOCATIONS_PER_HOUR + 1)]
    for each in earlier:
        assert revocation.revoke_carrier(actor=officer, carrier_id=each.pk, reason="lost_or_stolen").state == "revoked"
    with logged_in(browser, portal, officer) as page:
        page.goto(portal + reverse("carrier_revoke", args=[card.pk]))
        for name in ("Förlorat eller stulet", "Innehavaren", "Besök"):
            page.get_by_role("radio", name=name).check()
        page.get_by_label("De 4 sista tecknen i personens person-id").fill(card.holder.identifiers.get().value[-4:])
        page.get_by_role("button", name="Spärra kortet").click()
        expect(page.get_by_text("Spärren är inte gjord.")).to_be_visible()
        look(page, "sparr-vantar")
        page.get_by_role("status").get_by_role("link", name="Visa spärrar som väntar").click()
        expect(page.get_by_text("Du har själv lämnat begäran. Be en kollega att besluta.")).to_be_visible()
        expect(page.get_by_role("button", name="Spara beslutet")).to_have_count(0)
        expect(page.get_by_text("En kollega måste godkänna dem.")).to_be_visible()
        expect(page.get_by_text("Ring den som har begärt spärrarna")).to_have_count(0)  # that is the reader
        look(page, "sparrar-vantar-egen")
    assert Carrier.objects.get(pk=card.pk).state == "ordered"
    with logged_in(browser, portal, second) as page:
        page.goto(portal + reverse("day"))
        page.get_by_role("link", name="1 spärr väntar på ditt beslut", exact=True).click()
        expect(page.get_by_text("Ring den som har begärt spärrarna")).to_be_visible()
        expect(page.locator("main").locator("input:checked")).to_have_count(0)
        look(page, "sparrar-vantar")
        page.locator("main").get_by_role("checkbox").check()
        page.get_by_role("radio", name="Godkänn, så spärras de valda genast").check()
        page.get_by_role("button", name="Spara beslutet").click()
        expect(page.get_by_text("1 spärr är godkänd och gjord.")).to_be_visible()
    assert Carrier.objects.get(pk=card.pk).state == "revoked"
