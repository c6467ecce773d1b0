"""Mobilt SITHS on Mina sidor: from the start page to the device, at each step, and what is refused."""

import re
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.urls import reverse

from authn.models import Session
from authn.services import sessions
from issuance.activation.services import receipts
from issuance.carriers.models import Carrier
from issuance.minasidor.domain import Means
from issuance.mobile.models import MobileEnrolment
from issuance.mobile.services import device_app
from siths_portal.lib import clock
from siths_portal.lib.pages import named_buttons
from tests.issuance.minasidor.mina import holder_client
from tests.issuance.minasidor.test_pages import step, text
from tests.issuance.mobile.enrolled import Device

PRESSED = {named_buttons.BUTTON: named_buttons.ACT}
OWN = PRESSED | {"use": "own", "accept": "on"}
pytestmark = pytest.mark.django_db(transaction=True)


def log_in_again(client: Any, means: Means = Means.LOA3) -> None:
    """The step-up, as the provider's answer would do it."""
    row = sessions.find(client.cookies[live_settings.SESSION_COOKIE_NAME].value)
    assert row is not None
    renewed = sessions.renew(row.pk, sessions.LogIn(clock.now(), "", {}), means=means.value)
    assert renewed is not None
    client.cookies[live_settings.SESSION_COOKIE_NAME] = renewed[1]


def test_a_holder_gets_names_and_sees_a_mobile_eid(holding: Any, maker: Any) -> None:
    holder = holder_client(holding.person)
    assert f'href="{reverse("my_mobile")}"' in holder.get("/").content.decode()
    assert "Du har inget Mobilt SITHS" in text(holder.get(reverse("my_mobile")))
    terms = reverse("my_mobile_terms")
    asked = text(holder.get(terms))
    assert "Bara jag använder enheten" in asked
    assert all(section.heading in asked for section in receipts.current_terms().sections), "all that is accepted can be read"
    assert "som Mobilt SITHS på en telefon eller surfplatta" in asked, "the general terms hold for a phone too"
    unanswered = holder.post(terms, PRESSED)
    assert (unanswered.status_code, "Välj vem som använder enheten." in text(unanswered)) == (422, True)
    assert "Godkänn villkoren" in text(unanswered)
    assert "Godkänn villkoren" in text(holder.post(terms, PRESSED | {"use": "own"}))
    address = holder.post(terms, OWN)["Location"]
    assert "Logga in en gång till" in step(holder.get(address))
    log_in = holder.post(address, PRESSED)
    assert log_in["Location"].startswith("/logga-in/?next=")
    assert "Legitimera dig igen" in text(holder.get(log_in["Location"]))
    assert MobileEnrolment.objects.get().state == "accepted"
    log_in_again(holder)
    assert "Visa startkoden" in step(holder.get(address))
    page = holder.post(address, PRESSED, follow=True).content.decode()
    handle = re.search(r"mob\.[A-Za-z0-9_-]{22}", page)
    assert handle is not None
    assert "data:image/svg+xml" in page
    assert "Två steg kvar. Startkoden gäller en gång, till kl. " in page
    assert re.findall(r'<li class="(\w+)".*>\s*<span class="track-dot', page) == ["done", "done", "now", "later"]
    assert 'value="15"' in page
    assert f'href="{live_settings.EID_APP_DOWNLOAD_URL}"' in page
    row = MobileEnrolment.objects.get()
    state = reverse("my_mobile_state", args=[row.pk])
    assert holder.get(state, {"sedan": "offered", "kvar": "15"}).status_code == 204
    assert "15 minuter kvar" in text(holder.get(state, {"sedan": "offered", "kvar": "16"}))
    assert "Startkoden visas bara där den skapades" in step(holder_client(holding.person).get(address))

    device = Device(maker)
    device.start(handle[0])
    assert holder.get(state, {"sedan": "offered"})["HX-Refresh"] == "true"
    assert "Elins telefon har läst av koden" in step(holder.get(address))
    device.certify(row)
    device.confirm()
    assert "Mobilt SITHS är klart" in text(holder.get(address, follow=True))
    mobile = Carrier.objects.get(kind="mobile_eid")
    rename = reverse("my_mobile_name", args=[mobile.pk])
    assert "högst 60 tecken" in text(holder.post(rename, PRESSED | {"device": ""}))
    assert "Namnet är ändrat." in text(holder.post(rename, PRESSED | {"device": "Min platta"}, follow=True))
    assert "Mobilt SITHS, Min platta" in text(holder.get("/"))
    revoked = holder.post(reverse("my_revoke", args=[mobile.pk]), {"reason": "damaged", "bekrafta": "1"}, follow=True)
    assert "Behöver du ett nytt? Skaffa det här på Mina sidor" in text(revoked)
    assert "reservkort" not in text(revoked)


def test_the_start_code_is_in_no_address_log_or_store(holding: Any, maker: Any, caplog: Any) -> None:
    holder = holder_client(holding.person)
    address = holder.post(reverse("my_mobile_terms"), OWN)["Location"]
    log_in_again(holder)
    page = holder.post(address, PRESSED, follow=True, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in page, "a compressed length may reveal the code (BREACH)"
    (handle,) = set(re.findall(r"mob\.[A-Za-z0-9_-]{22}", page.content.decode()))
    told = [at for at, _status in page.redirect_chain] + [record.getMessage() for record in caplog.records]
    told += [found.split("#")[0] for found in re.findall(r'(?:href|action|src)="([^"]*)"', page.content.decode())]
    assert not [each for each in told if handle in each]
    assert (page["Referrer-Policy"], page["Cache-Control"]) == ("no-referrer", "no-store")
    assert (page["Cross-Origin-Opener-Policy"], "unsafe-inline" in page["Content-Security-Policy"]) == ("same-origin", False)
    assert "img-src 'self' data:" in page["Content-Security-Policy"], "the QR code is drawn in the page"
    assert not Session.objects.filter(data__contains=handle).exists()


def test_a_shared_device_is_refused_with_the_reason(holding: Any, maker: Any) -> None:
    holder = holder_client(holding.person)
    page = holder.post(reverse("my_mobile_terms"), PRESSED | {"use": "shared"}, follow=True)
    assert "Ingen kan garantera att det raderas före nästa person" in step(page)
    assert MobileEnrolment.objects.get().refusal == "shared-device"


def test_only_level_3_and_only_the_holder_reach_it(world: Any, holding: Any, maker: Any) -> None:
    holder = holder_client(holding.person)
    address = holder.post(reverse("my_mobile_terms"), OWN)["Location"]
    assert holder_client(world.post().person).get(address).status_code == 404
    low = holder_client(holding.person, Means.LOA2)
    assert {low.get(path).status_code for path in (address, reverse("my_mobile"), reverse("my_mobile_terms"))} == {403}
    log_in_again(holder, Means.LOA2)
    assert holder.post(address, PRESSED).status_code == 403, "the second log-in on a lower level gives nothing"
    assert MobileEnrolment.objects.get().state == "accepted"


def test_breaking_off_ends_what_the_device_has_begun(holding: Any, maker: Any) -> None:
    holder = holder_client(holding.person)
    address = holder.post(reverse("my_mobile_terms"), OWN)["Location"]
    log_in_again(holder)
    found = re.search(r"mob\.[A-Za-z0-9_-]{22}", holder.post(address, PRESSED, follow=True).content.decode())
    assert found is not None
    device = Device(maker)
    device.start(found[0])
    cancelled = holder.post(f"{address}avbryt/", {"avbryt": "1"}, follow=True)
    assert "Du har avbrutit" in text(cancelled)
    assert "inte klart" in step(holder.get(address))
    with pytest.raises(Exception, match="enrolment-ended"):
        device_app.set_code(step_token=device.token)
    assert Carrier.objects.get(kind="mobile_eid").state == "revoked"


def test_without_a_known_maker_nobody_can_get_one(holding: Any) -> None:
    assert "Det går inte att skaffa Mobilt SITHS här just nu" in text(holder_client(holding.person).get(reverse("my_mobile")))


def test_the_pages_are_whole_in_english(holding: Any, maker: Any) -> None:
    holder = holder_client(holding.person)
    holder.cookies[live_settings.LANGUAGE_COOKIE_NAME] = "en"
    address = holder.post(reverse("my_mobile_terms"), OWN)["Location"]
    for path in (reverse("my_mobile"), reverse("my_mobile_terms"), address):
        found = re.sub(r'<div[^>]*lang="sv".*?</div>', "", holder.get(path).content.decode(), flags=re.DOTALL)
        found = re.sub(r"<[^>]*>", " ", found)
        for name in (live_settings.ENVIRONMENT_NAME, "På svenska"):
            found = found.replace(name, "")
        assert not re.search(r"[åäöÅÄÖ]|\b(och|eller|inte|kort|till)\b", found), path
