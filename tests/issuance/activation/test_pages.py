"""The activation's pages over HTTP: three steps at the clerk's desk, each of which may be lost, repeated or done by another."""

import datetime as dt
import json
import re
import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from authn.models import Session
from authn.services import sessions
from issuance.activation.models import EidAppTransaction, Identification, PreparedReceipt
from issuance.activation.services import activation
from issuance.authz import Actor, Role, system
from issuance.carriers.models import Carrier
from issuance.imports.services import migration
from issuance.people.models.persons import Person
from issuance.people.models.photos import Photo
from issuance.people.services import photos
from issuance.receipt_texts.services import set_receipt_text
from issuance.records.domain.ids import PersonId, PersonIdKind
from issuance.records.models.events import Event
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from siths_portal.lib import clock
from siths_portal.lib.pages import session_secrets
from siths_portal.lib.pages.dates import in_words
from tests.issuance.activated import App, Made, activated_card, sent_card, transaction, unsigned_card
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.pictures import picture
from tests.portal import portal_client

pytestmark = pytest.mark.usefixtures("demo_pki")
ADDITION = "Dörrkort <b>B</b> hämtas i receptionen."


@pytest.fixture
def made(world: Any) -> Made:
    """A card that was sent: before all else, since it is a copy then."""
    return sent_card(world)


@pytest.fixture
def clerk(world: Any, made: Made) -> Client:
    return client_of(world.officer())


def client_of(actor: Actor) -> Client:
    return portal_client(Person.objects.get(pk=actor.person_id))


def another_clerk(world: Any) -> Client:
    return client_of(world.officer(world.region, Role.ID_ADMINISTRATOR, protected=True))


def text_of(response: Any) -> str:
    """The page's words as a reader sees them: no markup, single spaces."""
    body = re.sub(r"<(script|style|svg).*?</\1>", " ", response.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def begin(client: Client, made: Made, document: str = "passport", **options: Any) -> Any:
    """What the form's button does."""
    return client.post(reverse("activate", args=[made.carrier.pk]), {"identity_document": document}, **options)


def step_two(client: Client, made: Made) -> tuple[str, Any]:
    """The address of step 2 and its page."""
    answer = begin(client, made)
    assert answer.status_code == 302, text_of(answer)
    return answer["Location"], client.get(answer["Location"])


def handle_on(page: Any) -> str:
    found = re.search(r"#((?:act|sig)\.[\w-]{22})\"", page.content.decode())
    return found[1] if found else ""


def opened_by(page: Any) -> activation.Opened:
    """What the app is opened with, as the page tells it."""
    return activation.Opened(EidAppTransaction.objects.get(pk=page.context["transaction"].pk), handle_on(page))


def last(made: Made) -> EidAppTransaction:
    return EidAppTransaction.objects.filter(carrier=made.carrier).latest("created_at")


@pytest.mark.parametrize(("days", "told"), [(0, "."), (364, "."), (367, ", 1 år gammalt."), (1100, ", 3 år gammalt.")])
def test_the_photo_tells_its_age(world: Any, clerk: Client, made: Made, days: int, told: str) -> None:
    photos.store(actor=world.officer(), person_id=made.carrier.eids.get().post.person_id, content=picture())
    taken = clock.now() - dt.timedelta(days=days)
    Photo.objects.update(uploaded_at=taken)
    day = in_words(taken.astimezone(clock.STOCKHOLM).date())
    assert f"Foto från {day}{told}" in text_of(clerk.get(reverse("activate", args=[made.carrier.pk])))


# --- the whole way -------------------------------------------------------------------------------------------------------


def test_the_three_steps(world: Any, clerk: Client, made: Made) -> None:
    set_receipt_text(actor=system("setup"), organisation_id=world.region.id, regional_addition=ADDITION)
    page = clerk.get(reverse("activate", args=[made.carrier.pk]))
    said = text_of(page)
    serial = made.keys.serial
    written = f"{serial[:4]} {serial[4:8]} {serial[8:11]} {serial[11:15]} {serial[15:]}"
    for expected in (
        written, "631 Kort", "Kontor A", str(made.order.pk), "SITHS eID", "Skickat", "Ny", "Körkort", "Pass (vinröd bok)",
        "Skatteverkets id-kort", "SIS-godkänt id-kort", "Nationellt id-kort", "Steg 1 av 3",
        "dagar kvar. Därefter spärras kortet automatiskt.",
    ):  # fmt: skip
        assert expected in said, expected
    assert re.findall(r'data-key="(\d)"', page.content.decode()) == ["1", "2", "3", "4", "5"]
    assert f"data-copy-text>{made.order.pk}</span>" in page.content.decode()

    for typed, answer in (
        (serial, "Rätt kort."),
        (f" {serial[-4:]} ", "Rätt kort."),
        (f"\x02]C1{written}\x1d", "Rätt kort."),  # as some scanners send it
        (serial[::-1], "Fel kort."),
        ("12", "Skanna kortet igen"),
    ):
        checked = clerk.post(reverse("activate", args=[made.carrier.pk]), {"sok": "1", "serial": typed})
        assert answer in text_of(checked)
    assert not Identification.objects.exists()

    address, second = step_two(clerk, made)
    assert address == reverse("activation_sign", args=[last(made).pk])
    said = text_of(second)
    for expected in (
        "Prov, läs villkoren och skriv under",
        "Väntar på att du öppnar appen",
        written,
        "6–8 siffror",
        "Dörrkort &lt;b&gt;B&lt;/b&gt; hämtas",
        "Skriv under i SITHS eID-appen",
    ):
        assert expected in said, expected
    assert f'href="{settings.EID_APP_URL}#{handle_on(second)}" target="_blank" rel="noopener' in second.content.decode()
    assert 'src="data:image/svg+xml' in second.content.decode()

    app = App(made)
    app.start(opened_by(second))
    assert "Välj din kod i appen" in text_of(clerk.get(address))
    app.set_code()
    assert "Koden är vald" in text_of(clerk.get(address))
    app.complete()
    answer = clerk.get(address)
    assert answer.status_code == 302
    third = clerk.get(answer["Location"])
    said = text_of(third)
    for expected in (
        "Aktivering lyckades",
        "Provs kort är aktiverat",
        written,
        "Prov Provsson",
        "Dörrkort &lt;b&gt;B",
        "Visa elektronisk kvittens",
        "Avsluta",
        "Nästa person",
    ):
        assert expected in said, expected
    end = clerk.post(answer["Location"], follow=True)
    assert end.redirect_chain == [(reverse("person", args=[made.carrier.person_id]), 302)]
    assert "Aktivering lyckades! Ordinarie kort aktiverat" in text_of(end)
    assert "Aktivering lyckades!" not in text_of(clerk.get(end.redirect_chain[0][0]))


def test_the_persons_page_proposes_the_card_that_waits(world: Any, clerk: Client, made: Made) -> None:
    """Beside an older card the new one is the next step; its button never has the focus. Others see why they may not activate."""
    carrier = made.carrier
    older = migrated_card(carrier.eids.get().post)
    migration.register_migrated_card(actor=system("migration"), card=older, ca=CA)
    person = reverse("person", args=[carrier.person_id])
    button = f'<a class="ds-button" href="{reverse("activate", args=[carrier.pk])}"'
    body = clerk.get(person).content.decode()
    assert f"Aktivera det nya kortet som slutar på {carrier.card_serial[-4:]}" in body
    assert body.count(f'{button} aria-describedby="nasta-steg-text">Aktivera kort</a>') == 1
    assert body.count("Aktivera kort<") == 1
    other = Carrier.objects.exclude(pk=carrier.pk).get()
    for query, focused in (
        ("", "h1"), (f"?barare={carrier.pk}", "h1"), (f"?barare={uuid.uuid4()}", "h1"),
        (f"?barare={other.pk}", f'h3 id="kort-{other.pk}"'),
    ):  # fmt: skip
        shown = clerk.get(f"{person}{query}").content.decode().partition("data-session-watch")[0]
        assert re.findall("<([^>]*) autofocus", shown) == [f'{focused} tabindex="-1"'], query
    reader = client_of(world.officer(world.region, Role.READER)).get(person).content.decode()
    assert button not in reader
    assert "Aktivera kort" in reader
    assert 'class="deep"' not in reader


def test_titles_and_addresses_name_nobody(clerk: Client, made: Made) -> None:
    address, second = step_two(clerk, made)
    for page in (clerk.get(reverse("activate", args=[made.carrier.pk])), second):
        title = re.search(r"<title>(.*?)</title>", page.content.decode(), re.S)
        assert title
        assert "Prov" not in title[1]
    assert handle_on(second) not in address
    for found in re.findall(r'(?:href|action|hx-get|src)="(/[^"]*)"', second.content.decode()):
        assert "act." not in found
        assert made.keys.serial not in found


def test_nothing_is_chosen_beforehand_and_a_choice_is_demanded(clerk: Client, made: Made) -> None:
    assert "checked" not in clerk.get(reverse("activate", args=[made.carrier.pk])).content.decode()
    for document in ("", "library_card"):
        answer = begin(clerk, made, document)
        assert answer.status_code == 422
        assert "Välj den id-handling som innehavaren visade" in text_of(answer)
    assert not Identification.objects.exists()


# --- lost, repeated, done by another -------------------------------------------------------------------------------------


def test_a_reload_shows_the_same_link_until_the_app_is_open(clerk: Client, made: Made) -> None:
    address, page = step_two(clerk, made)
    again, before = (
        clerk.get(each, headers={"Accept-Encoding": "gzip"}) for each in (address, reverse("activate", args=[made.carrier.pk]))
    )
    encodings = [each.headers.get("Content-Encoding") for each in (again, before)]
    assert encodings == [None, "gzip"], "a compressed length may reveal the handle (BREACH)"
    assert handle_on(again) == handle_on(page) != ""
    App(made).start(opened_by(page))
    assert handle_on(clerk.get(address)) == ""
    kept = clerk.session.decode(Session.objects.exclude(data="").latest("created_at").data)
    assert kept["eid_app_handles"]
    assert handle_on(page) not in json.dumps(kept), "whoever reads the table can open the app"


def test_a_second_press_of_aktivera_makes_no_second_transaction(clerk: Client, made: Made) -> None:
    first, second = begin(clerk, made), begin(clerk, made)
    assert first["Location"] == second["Location"]
    assert EidAppTransaction.objects.count() == Identification.objects.count() == 1
    App(made).start(opened_by(clerk.get(second["Location"])))


def test_back_to_step_one_offers_to_go_on_where_one_was(clerk: Client, made: Made) -> None:
    address, _page = step_two(clerk, made)
    page = clerk.get(reverse("activate", args=[made.carrier.pk]))
    assert "Fortsätt där du var" in text_of(page)
    assert address in page.content.decode()


def test_opening_anew_gives_another_link_and_the_first_stops_working(clerk: Client, made: Made) -> None:
    address, page = step_two(clerk, made)
    answer = clerk.post(address, follow=True)
    assert answer.redirect_chain == [(address, 302)]
    assert "Den förra gäller inte längre" in text_of(answer)
    assert handle_on(answer) not in ("", handle_on(page))
    App(made).start(opened_by(answer))


def test_a_lost_app_window_goes_on_with_a_new_transaction(clerk: Client, made: Made) -> None:
    address, page = step_two(clerk, made)
    App(made).start(opened_by(page))
    assert "Stängdes appens fönster?" in text_of(clerk.get(address))
    answer = clerk.post(address, follow=True)
    assert answer.redirect_chain != [(address, 302)]
    app = App(made)
    app.start(opened_by(answer))
    app.set_code()
    app.complete()
    assert made.fresh().state == "active"
    old = clerk.get(address)
    assert "En nyare aktivering har tagit över" in text_of(old)


def test_a_second_tab_shows_the_newest_link_and_the_first_follows(clerk: Client, made: Made) -> None:
    address, page = step_two(clerk, made)
    version = page.context["version"]
    poll = reverse("activation_state", args=[last(made).pk])
    assert clerk.get(poll, {"sedan": version}).status_code == 204
    newest = clerk.post(address, follow=True)  # the second tab
    followed = clerk.get(poll, {"sedan": version})
    assert followed.status_code == 200
    assert handle_on(followed) == handle_on(newest)


def test_after_a_lost_log_in_the_page_is_there_and_the_link_is_made_anew(world: Any, clerk: Client, made: Made) -> None:
    address, _page = step_two(clerk, made)
    clerk.logout()
    lost = clerk.post(address)
    assert lost.status_code == 302
    assert lost["Location"].startswith(reverse("login"))
    again = client_of(world.officer())
    page = again.get(address)
    assert handle_on(page) == ""
    assert "väljer Öppna appen igen" in text_of(page)
    assert handle_on(again.post(address, follow=True)) != ""
    # A log-in comes back by GET, also to what was posted.
    cancel = reverse("activation_cancel", args=[last(made).pk])
    assert again.get(cancel)["Location"] == address
    assert transaction(opened_by(page)).state == "created"


def test_an_old_log_in_is_renewed_and_the_choice_is_kept(world: Any, settings: Any) -> None:
    settings.ACTIVATION_LOGIN_MAX_AGE = 3600
    made = sent_card(world)
    clerk = client_of(world.officer())
    Session.objects.update(authenticated_at=clock.now() - dt.timedelta(hours=2))
    address = reverse("activate", args=[made.carrier.pk])
    answer = begin(clerk, made, "tax_agency_id")
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("login"))
    assert not Identification.objects.exists()
    Session.objects.update(authenticated_at=clock.now())
    page = clerk.get(address)
    assert re.search(r'value="tax_agency_id"\s+checked', page.content.decode())
    assert begin(clerk, made, "tax_agency_id")["Location"] == reverse("activation_sign", args=[last(made).pk])


def test_a_second_clerk_takes_over_what_is_not_begun_and_waits_for_what_is(world: Any, clerk: Client, made: Made) -> None:
    address, page = step_two(clerk, made)
    other = another_clerk(world)
    first_step = reverse("activate", args=[made.carrier.pk])
    seen = other.get(address)
    assert "En annan ID-administratör sköter aktiveringen" in text_of(seen)
    assert handle_on(seen) == ""
    assert "Öppna appen igen</button>" not in seen.content.decode()
    assert other.post(address).status_code == 403
    assert "Väljer du Aktivera tar du över" in text_of(other.get(first_step))
    App(made).start(opened_by(page))
    assert "aktiveras just nu hos en annan ID-administratör" in text_of(other.get(first_step))
    refused = begin(other, made)
    assert refused.status_code == 409
    assert "Vänta tills det är klart eller avbrutet" in text_of(refused)
    clerk.post(reverse("activation_cancel", args=[last(made).pk]))
    assert begin(other, made).status_code == 302


def test_cancel_leads_to_the_person_and_can_be_taken_back_by_opening_anew(clerk: Client, made: Made) -> None:
    address, _page = step_two(clerk, made)
    cancel = reverse("activation_cancel", args=[last(made).pk])
    answer = clerk.post(cancel, follow=True)
    assert answer.redirect_chain == [(reverse("person", args=[made.carrier.person_id]), 302)]
    assert "Aktiveringen är avbruten. Kortet är inte aktiverat." in text_of(answer)
    clerk.post(cancel)
    assert Event.objects.filter(action="transaction.cancelled").count() == 1
    page = clerk.get(address)
    assert "Identifieringen gäller till kl." in text_of(page)
    assert handle_on(clerk.post(address, follow=True)) != ""


def test_a_cancel_that_comes_too_late_leads_to_what_was_activated(clerk: Client, made: Made) -> None:
    _address, page = step_two(clerk, made)
    app = App(made)
    app.start(opened_by(page))
    app.set_code()
    app.complete()
    answer = clerk.post(reverse("activation_cancel", args=[last(made).pk]))
    assert answer["Location"] == reverse("activation_done", args=[last(made).pk])


def test_a_code_without_signature_says_how_long_and_how(world: Any, clerk: Client) -> None:
    made = unsigned_card(world)
    row = last(made)
    clerk.post(reverse("activation_cancel", args=[row.pk]))
    ended = text_of(clerk.get(reverse("activation_sign", args=[row.pk])))
    assert "kvittensen är inte underskriven" in ended
    assert "5 dagar kvar" in ended
    first = text_of(clerk.get(reverse("activate", args=[made.carrier.pk])))
    assert "Koden är vald men kvittensen är inte underskriven" in first
    assert "5 dagar kvar" in first
    _address, page = step_two(clerk, made)
    assert handle_on(page).startswith("sig.")
    app = App(made)
    app.start(opened_by(page))
    assert "puk" not in app.secrets
    app.complete()
    assert made.fresh().state == "active"


def test_time_that_ran_out_is_said_and_the_identification_is_used_again(world: Any, clerk: Client, made: Made) -> None:
    address, _page = step_two(clerk, made)
    with clock.moved_to(clock.now() + dt.timedelta(minutes=6)):
        page = clerk.get(address)
        assert "Appen öppnades inte i tid" in text_of(page)
        assert handle_on(page) == ""
        assert handle_on(clerk.post(address, follow=True)) != ""
    with clock.moved_to(clock.now() + dt.timedelta(minutes=40)):
        late = client_of(world.officer())
        page = late.get(address)
        assert "Identifiera innehavaren igen" in text_of(page)
        answer = late.post(address, follow=True)
        assert "Identifieringen är för gammal" in text_of(answer)


def test_a_card_revoked_meanwhile_says_so(world: Any, clerk: Client, made: Made) -> None:
    address, _page = step_two(clerk, made)
    revocation.revoke_carrier(
        actor=world.officer(), carrier_id=made.carrier.pk, reason=RevocationReason.LOST_OR_STOLEN, requester="holder",
        requester_name="", channel="visit",
    )  # fmt: skip
    assert "Kortet är ogiltigt" in text_of(clerk.get(address))
    assert "Kortet är ogiltigt och kan inte aktiveras" in text_of(clerk.get(reverse("activate", args=[made.carrier.pk])))
    assert begin(clerk, made).status_code == 409


def test_what_the_card_is_not_ready_for(world: Any, clerk: Client) -> None:
    order = world.order()
    page = clerk.get(reverse("activate", args=[order.carrier_id]))
    assert "beställt men inte skickat än" in text_of(page)
    assert "identity_document" not in page.content.decode()
    done = activated_card(world)
    assert "Kortet är redan aktiverat" in text_of(clerk.get(reverse("activate", args=[done.carrier.pk])))


def test_a_new_card_proposes_to_revoke_the_old_one(world: Any, clerk: Client) -> None:
    old = activated_card(world)
    end = old.keys.serial[-4:]
    proposal = f"Spärra det gamla kortet som slutar på {end}"
    assert "Spärra det gamla kortet" not in text_of(clerk.get(reverse("activation_done", args=[last(old).pk])))
    new = activated_card(world, old.order.eid.post)
    page = clerk.get(reverse("activation_done", args=[last(new).pk]))
    assert proposal in text_of(page)
    assert reverse("carrier_revoke", args=[old.carrier.pk]) in page.content.decode()


def test_an_outside_system_that_is_away_changes_nothing(world: Any, clerk: Client, made: Made) -> None:
    world.outside.down = True
    answer = begin(clerk, made)
    assert answer.status_code == 503
    assert "Aktivera" in text_of(answer)
    assert re.search(r'value="passport"\s+checked', answer.content.decode())
    assert not EidAppTransaction.objects.exists()


# --- the poll ------------------------------------------------------------------------------------------------------------


def test_the_poll_tells_what_changed_and_leads_on(clerk: Client, made: Made) -> None:
    _address, page = step_two(clerk, made)
    poll = reverse("activation_state", args=[last(made).pk])
    ask = {"sedan": page.context["version"]}
    assert clerk.get(poll, ask).status_code == 204
    app = App(made)
    app.start(opened_by(page))
    changed = clerk.get(poll, ask)
    assert changed.status_code == 200
    assert "Kortet är hittat" in text_of(changed)
    assert b"<html" not in changed.content
    app.set_code()
    app.complete()
    assert clerk.get(poll, ask)["HX-Redirect"] == reverse("activation_done", args=[last(made).pk])


def test_the_poll_reads_the_page_anew_when_the_holder_cancels(clerk: Client, made: Made) -> None:
    from issuance.activation.services import activation_app

    address, page = step_two(clerk, made)
    app = App(made)
    app.start(opened_by(page))
    activation_app.cancel(step_token=app.token)
    assert clerk.get(reverse("activation_state", args=[last(made).pk]))["HX-Refresh"] == "true"
    assert "Aktiveringen är avbruten" in text_of(clerk.get(address))


def test_a_poll_does_not_undo_the_link_that_was_made_beside_it(clerk: Client, made: Made, monkeypatch: Any) -> None:
    """The poll has read the session; then the clerk opens the app anew in another window; then the poll answers."""
    address, page = step_two(clerk, made)
    App(made).start(opened_by(page))
    beside, real = Client(), activation.state
    beside.cookies = clerk.cookies

    def overtaken(**arguments: Any) -> Any:
        view = real(**arguments)
        monkeypatch.undo()
        beside.post(address)
        return view

    monkeypatch.setattr(activation, "state", overtaken)
    assert clerk.get(reverse("activation_state", args=[opened_by(page).transaction.pk])).status_code == 200
    assert last(made).state == "created"
    assert handle_on(clerk.get(reverse("activation_sign", args=[last(made).pk])))


def test_the_post_that_the_clerk_logged_in_by_stands_on_the_receipt(world: Any, clerk: Client, made: Made) -> None:
    key = world.key_of(Person.objects.get(pk=world.officer().person_id))
    aside = world.post(world.city, person_id=PersonId(PersonIdKind(key.kind), key.value), given_name="Handläggare")
    session = Session.objects.exclude(subject_ref="").get()
    session.hsa_id = aside.hsa_id
    sessions.bind(session)
    session.save()
    assert begin(clerk, made).status_code == 302
    assert PreparedReceipt.objects.get().content["identification"]["officer"]["hsa_id"] == aside.hsa_id


def test_a_cancelled_transactions_handle_leaves_the_session(world: Any, clerk: Client, made: Made) -> None:
    first, second, third = made, sent_card(world), sent_card(world)
    _, page = step_two(clerk, first)
    gone = handle_on(page)
    clerk.post(reverse("activation_cancel", args=[last(first).pk]))
    _, page = step_two(clerk, second)
    ended = handle_on(page)
    App(second).start(opened_by(page))
    _, page = step_two(clerk, third)
    sealed = clerk.session["eid_app_handles"].values()
    kept = [session_secrets.unseal(clerk.session.session_key, "eid_app_handles", each) for each in sealed]
    assert kept == [handle_on(page)]
    assert {gone, ended}.isdisjoint(kept)


def test_the_poll_keeps_no_idle_session_alive(clerk: Client, made: Made) -> None:
    step_two(clerk, made)
    before = clock.now() - dt.timedelta(minutes=10)
    Session.objects.update(last_seen_at=before)
    clerk.get(reverse("activation_state", args=[last(made).pk]))
    assert Session.objects.exclude(subject_ref="").latest("created_at").last_seen_at == before


def test_a_page_that_reads_itself_anew_keeps_no_idle_session_alive(clerk: Client, made: Made) -> None:
    address, _ = step_two(clerk, made)
    before = clock.now() - dt.timedelta(minutes=10)
    Session.objects.update(last_seen_at=before)
    for query, is_same in (("?uppdatera=1", True), ("", False)):
        assert clerk.get(address + query).status_code == 200
        assert (Session.objects.exclude(subject_ref="").latest("created_at").last_seen_at == before) is is_same


def test_without_script_the_page_reads_itself_anew_only_when_asked(clerk: Client, made: Made) -> None:
    address, page = step_two(clerk, made)
    refresh = '<noscript><meta http-equiv="refresh" content="10">'
    assert refresh not in page.content.decode()
    assert "Uppdatera sidan" in text_of(page)
    asked = clerk.get(address, {"uppdatera": "1"})
    assert refresh in asked.content.decode()
    assert "Sluta uppdatera av sig själv" in text_of(asked)


# --- who may, and what it costs ------------------------------------------------------------------------------------------


def test_who_does_not_see_the_card_learns_nothing(world: Any, clerk: Client, made: Made) -> None:
    step_two(clerk, made)
    row = last(made)
    stranger = client_of(world.officer(world.stranger))
    pages = ["activation_sign", "activation_state", "activation_done", "activation_cancel"]
    for name in pages:
        method = stranger.post if name == "activation_cancel" else stranger.get
        known, unknown = method(reverse(name, args=[row.pk])), method(reverse(name, args=[uuid.uuid4()]))
        assert known.status_code == unknown.status_code == 404
    assert begin(stranger, made).status_code == 404
    check = {"sok": "1", "serial": made.keys.serial}
    assert stranger.post(reverse("activate", args=[made.carrier.pk]), check, headers={"HX-Request": "true"}).status_code == 404
    assert stranger.get(reverse("activate", args=[made.carrier.pk])).status_code == 404


def test_who_sees_the_card_without_the_right_is_refused(world: Any, clerk: Client, made: Made) -> None:
    step_two(clerk, made)
    reader = client_of(world.officer(world.region, Role.READER))
    for name, subject in (("activate", made.carrier.pk), ("activation_sign", last(made).pk), ("activation_done", last(made).pk)):
        assert reader.get(reverse(name, args=[subject])).status_code == 403
    assert begin(reader, made).status_code == 403


def test_nobody_activates_his_own_card(world: Any) -> None:
    officer = world.officer()
    own = Person.objects.get(pk=officer.person_id)
    post = own.posts.get()
    made = sent_card(world, post, actor=world.officer(world.region, Role.ID_ADMINISTRATOR, protected=True))
    assert client_of(officer).get(reverse("activate", args=[made.carrier.pk])).status_code == 403


def test_a_get_changes_nothing(clerk: Client, made: Made) -> None:
    step_two(clerk, made)
    row = last(made)
    before = list(Event.objects.exclude(action="person.shown").values_list("id", flat=True))
    for name, subject in (
        ("activate", made.carrier.pk), ("activation_sign", row.pk), ("activation_state", row.pk), ("activation_done", row.pk),
        ("activation_cancel", row.pk),
    ):  # fmt: skip
        clerk.get(reverse(name, args=[subject]))
    assert list(Event.objects.exclude(action="person.shown").values_list("id", flat=True)) == before
    assert last(made).state == "created"


def test_a_form_without_its_token_is_refused(world: Any) -> None:
    made = sent_card(world)
    strict = portal_client(Person.objects.get(pk=world.officer().person_id), enforce_csrf_checks=True)
    assert begin(strict, made).status_code == 403
    assert not Identification.objects.exists()


def test_the_texts_beside(world: Any, clerk: Client) -> None:
    assert "De sju stegen" in text_of(clerk.get(reverse("identification_help")))
    assert "Kort, enhet och koder är personliga" in text_of(Client().get(reverse("terms")))
    assert Client().get(reverse("identification_help")).status_code == 302


def test_every_page_asks_the_database_a_bounded_number_of_times(world: Any, clerk: Client, made: Made) -> None:
    """Log-in and actor included; the same for a person with one more card."""
    step_two(clerk, made)
    done = activated_card(world, made.order.eid.post)
    subjects = [
        ("activate", made.carrier.pk, 15),
        ("activation_sign", last(made).pk, 12),
        ("activation_state", last(made).pk, 8),
        ("activation_done", last(done).pk, 12),
    ]
    for name, subject, most in subjects:
        with CaptureQueriesContext(connection) as queries:
            assert clerk.get(reverse(name, args=[subject])).status_code == 200
        assert len(queries) <= most, (name, len(queries))


def test_the_app_has_another_host_name_than_the_portal() -> None:
    """Cookies do not tell ports apart (RFC 6265 section 8.5)."""
    assert urlsplit(settings.EID_APP_URL).hostname != urlsplit(settings.PORTAL_BASE_URL).hostname
