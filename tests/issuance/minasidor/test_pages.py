"""The pages of Mina sidor: what a holder sees and revokes, and what nobody else reaches."""

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.test import Client

from authn.models import Session
from authn.services import sessions
from issuance.carriers.models import Carrier, Eid
from issuance.minasidor.domain import Means
from issuance.people.models.persons import Person
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.records.domain import wording
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.pages.dates import in_words
from siths_portal.wiring import urls_minasidor
from tests.access.asking import statements
from tests.access.walker import addresses
from tests.issuance.carriers.making import mobile
from tests.issuance.minasidor.mina import card_client, holder_client, session_key
from tests.issuance.world import World

pytestmark = pytest.mark.django_db(transaction=True)

LOST = {"reason": "lost_or_stolen"}


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))


def step(answer: Any) -> str:
    """The text of a step's page, whose title is its heading: a holder with several tabs sees which one waits."""
    found = re.search(r"<title>(.*?) – Mina sidor</title>.*?<h1[^>]*>(.*?)</h1>", answer.content.decode(), re.DOTALL)
    assert found is not None
    assert found[1] == found[2]
    return text(answer)


def without_chance(answer: Any) -> str:
    """The page without ids and tokens."""
    page = re.sub(r"<code>\w+</code>|value=\"\w{64}\"", "", answer.content.decode())
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "id", page)


# --- who may open what --------------------------------------------------------------------------------------------------------

PUBLIC, ANY, PERSON = "public", "any log-in", "a person"
ORDER = "a person, and a card that has an order"
CARD = "the card alone"
APP = ("start", "certificates", "code-set", "card-report", "complete", "cancel", "openapi")
"""The calls of the eID app, whose credential is a start code and the card."""

ACCESS: dict[str, str] = {
    "healthz/live": PUBLIC, "healthz/ready": PUBLIC, "csp_report": PUBLIC, "start": PUBLIC, "help": PUBLIC, "language": PUBLIC,
    "login": PUBLIC, "login_callback": PUBLIC, "login_card_callback": PUBLIC, "login_post": PUBLIC, "logout": PUBLIC,
    "upload_session": PUBLIC,
    "session_state": ANY, "session_continue": ANY, "settings": ANY,
    "my_carrier": PERSON, "my_receipt": PERSON, "my_access_log": PERSON, "my_revocations": PERSON, "my_revoke": PERSON,
    "my_revoked": PERSON, "my_revoke_eid": PERSON, "my_eid_revoked": PERSON,
    "my_fetch": ORDER, "my_fetching": ORDER, "my_fetching_state": ORDER, "my_fetching_cancel": ORDER, "my_extend": PERSON,
    "my_activate": CARD, "my_activating": CARD, "my_activating_state": CARD, "my_activating_cancel": CARD,
    "my_mobile": PERSON, "my_mobile_terms": PERSON, "my_mobile_enrolment": PERSON, "my_mobile_state": PERSON,
    "my_mobile_cancel": PERSON, "my_mobile_name": PERSON,
    "device-openapi": PUBLIC, "^api/eidapp/v1/": PUBLIC, **{f"eidapp-{each}": PUBLIC for each in APP},
    "my_unlockings": PERSON, "my_unlock": PERSON, "my_unlocking": PERSON, "my_unlocking_state": PERSON,
    "my_unlocking_next": PERSON, "my_unlocking_cancel": PERSON,
    "my_tests": ANY, "my_test": ANY, "my_testing": ANY, "my_testing_state": ANY, "my_testing_cancel": ANY,
    "my_signature_certificate": PERSON,
}  # fmt: skip


def path_of(name: str, pk: object) -> str:
    pattern = addresses(urls_minasidor.__name__)[name]
    return "/" + re.sub(r"<[^>]*>", str(pk), str(pattern.pattern))


def test_every_address_says_who_may_open_it() -> None:
    assert set(addresses(urls_minasidor.__name__)) == set(ACCESS)


@pytest.mark.parametrize("name", sorted(name for name, who in ACCESS.items() if who != PUBLIC))
def test_a_log_in_is_needed_and_a_transport_certificate_reaches_nothing_of_a_person(holding: Any, name: str) -> None:
    path = path_of(name, holding.active.pk)
    for method in ("get", "post"):
        answer = getattr(Client(), method)(path)
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/logga-in/"), method
        answer = getattr(card_client(holding.active.pk), method)(path)
        assert (answer.status_code == 403) is (ACCESS[name] == PERSON and answer.status_code != 405), (method, answer.status_code)
        assert "Olsson" not in text(answer)
        assert "Regionen" not in text(answer)


def test_the_page_of_a_card_names_nobody(holding: Any) -> None:
    """Its own data is all that a session of the card reads: nothing of the holder or an organisation, and of eIDs the end."""
    client = card_client(holding.active.pk)
    with statements() as asked:
        page = client.get("/")
    assert f"slutar på {holding.active.card_serial[-4:]}" in text(page)
    number = holding.person.identifiers.get().value
    for hidden in ("Elin", "Olsson", number, number[-4:], "Regionen", holding.active.card_serial, "TST"):
        assert hidden not in text(page).replace(holding.active.card_serial[-4:], "")
    last = wording.last_day(Eid.objects.get(carrier=holding.active).valid_to)
    assert f"SITHS eID:t på kortet gäller till och med {in_words(last)}." in text(page)
    assert not [sql for sql in asked if re.search(r'"issuance_(person|post|personidentifier)"', sql)]
    of_eids = [sql for sql in asked if '"issuance_eid"' in sql]
    assert [re.findall(r'SELECT (\S+)(?: AS \S+)? FROM "issuance_eid"', sql) for sql in of_eids] == [['"U0"."valid_to"']]
    tabs = re.findall(r'<nav class="tabs".*?</nav>', page.content.decode(), re.DOTALL)[0]
    assert ("/sparra/" in tabs, "/vem-har-tittat/" in tabs, "/installningar/" in tabs) == (False, False, True)


@pytest.mark.parametrize("name", ["my_carrier", "my_receipt", "my_revoke", "my_revoked", "my_revoke_eid", "my_eid_revoked"])
def test_another_persons_things_are_as_those_that_do_not_exist(holding: Any, world: World, name: str) -> None:
    other = world.order()
    theirs = other.eid.pk if "eid" in name else other.carrier_id
    client = holder_client(holding.person)
    answers = {without_chance(client.get(path_of(name, pk))) for pk in (theirs, uuid.uuid4())}
    assert len(answers) == 1
    assert "Sidan finns inte" in answers.pop()
    assert client.get(path_of(name, theirs)).status_code == 404
    if "revoke" in name and "revoked" not in name:
        assert client.post(path_of(name, theirs), LOST | {"bekrafta": "1"}).status_code == 404
        assert not Event.objects.filter(action__endswith=".revoked").exists()


# --- what a holder sees -------------------------------------------------------------------------------------------------------


def test_start_says_what_is_theirs_and_who_looked(holding: Any, world: World) -> None:
    officer, clerk = world.officer(), Person.objects.get(pk=world.officer().person_id)
    disclosures.record(actor=officer, person_id=holding.person.pk, shown=Shown.PERSON)
    disclosures.record(actor=officer, person_id=world.order().person_id, shown=Shown.PHOTO)
    page = holder_client(holding.person).get("/")
    last = wording.last_day(Eid.objects.get(carrier=holding.active).valid_to)
    assert page.content.decode().count('class="own-card"') == 2, "no other person's card"
    assert "<title>Start – Mina sidor</title>" in page.content.decode()
    assert "Såg ditt foto" not in text(page)
    for said in (
        "Hej Elin Olsson", "Allt är i ordning", f"Kortet som slutar på {holding.active.card_serial[-4:]}", "Ditt beställda kort",
        f"SITHS eID för Regionen, till {in_words(last)}",
        f"{clerk.given_name_in_use} {clerk.surname}, Regionen", "Såg din sida i portalen",
        "Spärra något jag har tappat", "Kontakta en ID-administratör i Regionen.", live_settings.SUPPORT_CONTACT,
    ):  # fmt: skip
        assert said in text(page), said
    assert holding.active.card_serial not in page.content.decode()


def test_a_sent_card_comes_first_with_its_last_day(holding: Any) -> None:
    Carrier.objects.filter(pk=holding.ordered.pk).update(
        state="sent", sent_at=holding.ordered.created_at, card_serial="9752" + "1" * 15
    )
    page = text(holder_client(holding.person).get("/"))
    assert "Du har en sak att göra." in page
    assert re.search(r"Aktivera ditt nya kort Kortet som slutar på 1111\. Ta med kortet .* senast \d+ \w+", page)


def test_a_start_page_costs_the_same_however_many_cards(holding: Any, world: World) -> None:
    client = holder_client(holding.person)
    counts = []
    for _ in range(2):
        client.get("/")
        with statements() as asked:
            assert client.get("/").status_code == 200
        counts.append(len(asked))
        mobile(holding.person.posts.get(), is_in_use=True)
    assert counts[0] == counts[1] <= 8


def test_what_an_officer_saw_in_a_visit_is_one_line(holding: Any, world: World) -> None:
    for shown in (Shown.PERSON, Shown.REVOCATION, Shown.PERSON, Shown.REVOCATION):
        disclosures.record(actor=world.officer(), person_id=holding.person.pk, shown=shown)
    client = holder_client(holding.person)
    for address in ("/", "/vem-har-tittat/"):
        assert text(client.get(address)).count("Såg din sida i portalen, såg sidan för spärr, ") == 1
        assert text(client.get(address)).count("Handläggare Provsson, Regionen") == 1


def test_all_looks_are_shown_in_pages_and_a_protected_officer_is_not_named(holding: Any, world: World) -> None:
    officer, start = world.officer(), clock.now()
    for number in range(51):
        with clock.moved_to(start - dt.timedelta(minutes=11 * (51 - number))):
            disclosures.record(actor=officer, person_id=holding.person.pk, shown=Shown.PHOTO)
    Person.objects.filter(pk=officer.person_id).update(is_protected=True, protected_person_indicator=True)
    client = holder_client(holding.person)
    page = client.get("/vem-har-tittat/")
    assert text(page).count("Rollinnehavare med skyddade personuppgifter ") == 50
    assert "Handläggare" not in text(page)
    older = re.search(r'href="/vem-har-tittat/\?fore=(\d+)"', page.content.decode())
    assert older
    assert text(client.get(f"/vem-har-tittat/?fore={older[1]}")).count("Såg ditt foto") == 1
    assert client.get("/vem-har-tittat/?fore=x").status_code == client.get("/vem-har-tittat/?fore=" + "9" * 40).status_code == 200


def test_level_2_is_told_what_it_can_do(holding: Any) -> None:
    assert "Du är inloggad på tillitsnivå 2" in text(holder_client(holding.person, Means.LOA2).get("/"))


# --- revocation ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("means", [Means.LOA3, Means.RESERVE_LOA3, Means.LOA2])
def test_every_log_in_of_a_person_revokes_what_is_theirs(holding: Any, means: Means) -> None:
    client, path = holder_client(holding.person, means), f"/sparra/kort/{holding.active.pk}/"
    assert path in client.get("/sparra/").content.decode()
    asked = client.post(path, {"fortsatt": "1"})
    assert (asked.status_code, "Välj varför du spärrar." in text(asked)) == (422, True)
    last = client.post(path, LOST | {"fortsatt": "1"})
    assert last.status_code == 200
    assert "Vill du spärra kortet?" in text(last)
    assert "SITHS eID för Regionen" in text(last)
    assert Carrier.objects.get(pk=holding.active.pk).state == "active", "nothing is revoked before the last yes"
    done = client.post(path, LOST | {"bekrafta": "1"})
    assert (done.status_code, done["Location"]) == (302, f"{path}klart/")
    event = Event.objects.get(action="carrier.revoked")
    assert (event.actor_ref, event.facts["requester"]) == (f"holder:{holding.person.pk}", "holder")
    result = text(client.get(done["Location"]))
    for said in ("Kortet är spärrat", "Gör en polisanmälan", "Kontakta en ID-administratör i Regionen", "Ditt beställda kort"):
        assert said in result, said
    assert client.post(path, LOST | {"bekrafta": "1"})["Location"] == f"{path}klart/", "a second press shows the same result"


def test_enter_and_change_of_mind_revoke_nothing(holding: Any) -> None:
    client, path = holder_client(holding.person), f"/sparra/kort/{holding.active.pk}/"
    for button in ({"gor": "visa"}, {"gor": "visa", "andra": "1"}):
        answer = client.post(path, LOST | button)
        assert (answer.status_code, "Varför spärrar du?" in text(answer)) == (200, True)
        assert "checked" in answer.content.decode()
    assert not Event.objects.filter(action="carrier.revoked").exists()
    assert client.get(f"{path}klart/")["Location"] == path


def test_something_else_needs_words_and_an_officers_reason_is_none(holding: Any) -> None:
    client, path = holder_client(holding.person), f"/sparra/kort/{holding.active.pk}/"
    for given, said in (({"reason": "other"}, "Beskriv varför du spärrar."), ({"reason": "deceased"}, "Välj varför du spärrar.")):
        answer = client.post(path, given | {"bekrafta": "1"})
        assert (answer.status_code, said in text(answer)) == (422, True)
    assert not Event.objects.filter(action="carrier.revoked").exists()


def test_one_eid_is_revoked_and_its_card_stays(holding: Any) -> None:
    client, eid = holder_client(holding.person), Eid.objects.get(carrier=holding.active)
    done = client.post(f"/sparra/eid/{eid.pk}/", {"reason": "assignment_ended", "bekrafta": "1"})
    assert "Ditt SITHS eID för Regionen är spärrat" in text(client.get(done["Location"]))
    assert Carrier.objects.get(pk=holding.active.pk).state == "active"


def test_what_may_be_in_other_hands_ends_the_other_sessions_on_both_sites_and_nothing_else_does(holding: Any) -> None:
    person = holding.person
    client, path = holder_client(person), f"/sparra/kort/{holding.ordered.pk}/"
    session_key(f"holder:{person.pk}", Means.LOA3)
    session_key(f"user:{person.pk}", Means.LOA3)
    client.post(path, {"reason": "damaged", "bekrafta": "1"})
    assert len(sessions.live()) == 3
    client.post(f"/sparra/kort/{holding.active.pk}/", {"reason": "suspected_misuse", "bekrafta": "1"})
    assert [row.subject_ref for row in sessions.live()] == [f"holder:{person.pk}"]
    assert set(Session.objects.exclude(end_reason="").values_list("end_reason", flat=True)) == {"carrier-revoked"}
    assert client.get("/sparra/").status_code == 200, "the session that revoked goes on"


def test_what_has_ended_otherwise_cannot_be_revoked(holding: Any) -> None:
    Carrier.objects.filter(pk=holding.active.pk).update(state="expired")
    answer = holder_client(holding.person).post(f"/sparra/kort/{holding.active.pk}/", LOST | {"bekrafta": "1"})
    assert (answer.status_code, "behöver inte spärras" in text(answer)) == (409, True)


# --- sessions and addresses ---------------------------------------------------------------------------------------------------


def test_a_holder_ends_another_session_of_their_own_and_nobody_elses(holding: Any, world: World) -> None:
    client = holder_client(holding.person)
    session_key(f"holder:{holding.person.pk}", Means.LOA2)
    session_key(f"holder:{world.post().person.pk}", Means.LOA3)
    (mine, theirs) = (
        Session.objects.filter(subject_ref=f"holder:{holding.person.pk}").latest("created_at"),
        Session.objects.exclude(subject_ref=f"holder:{holding.person.pk}").get(),
    )
    assert "En annan webbläsare" in text(client.get("/installningar/"))
    for row in (theirs, mine):
        client.post("/installningar/", {"session": str(row.pk)})
    assert {row.pk for row in sessions.live()} == {theirs.pk, *(row.pk for row in sessions.own(f"holder:{holding.person.pk}"))}
    assert len(sessions.own(f"holder:{holding.person.pk}")) == 1


def test_no_address_redirect_or_log_line_has_personal_data(holding: Any, caplog: Any) -> None:
    """S21: every link, form, redirect and title of the holder's pages, and what was logged meanwhile."""
    person, serial = holding.person, holding.active.card_serial
    eid = Eid.objects.get(carrier=holding.active)
    client, path = holder_client(person), f"/sparra/kort/{holding.active.pk}/"
    pages = [
        client.get(each)
        for each in (
            "/",
            "/sparra/",
            "/vem-har-tittat/",
            "/installningar/",
            "/mobilt/villkor/",
            f"/kort/{holding.active.pk}/",
            path,
        )
    ]
    pages += [
        client.post(path, LOST | {"fortsatt": "1"}),
        client.post(path, LOST | {"bekrafta": "1"}),
        client.get(f"{path}klart/"),
    ]
    secret = (person.identifiers.get().value, "Olsson", eid.hsa_id, serial, serial[-10:])
    told = [answer.headers.get("Location", "") for answer in pages] + [record.getMessage() for record in caplog.records]
    for answer in pages:
        found = answer.content.decode()
        told += re.findall(r'(?:href|action|src)="([^"]*)"|<title>(.*?)</title>', found)
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["Cache-Control"] == "no-store"
    assert not [each for each in told if any(word in str(each) for word in secret)]


def test_no_form_is_taken_without_its_token_and_no_get_writes(holding: Any) -> None:
    """S16."""
    key = holder_client(holding.person).cookies[live_settings.SESSION_COOKIE_NAME].value
    client = Client(enforce_csrf_checks=True)
    client.cookies[live_settings.SESSION_COOKIE_NAME] = key
    path = f"/sparra/kort/{holding.active.pk}/"
    forms = [path_of(name, holding.active.pk) for name, who in ACCESS.items() if who != PUBLIC]
    for form in ("/sprak/", "/logga-in/", "/logga-ut/", *forms):
        assert client.post(form, LOST | {"bekrafta": "1"}).status_code == 403, form
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(path).content.decode())[0]
    sent = LOST | {"bekrafta": "1", "csrfmiddlewaretoken": token}
    assert client.post(path, sent, headers={"Origin": "https://evil.example"}).status_code == 403
    for page in ("/", "/sparra/", "/vem-har-tittat/", "/installningar/", "/mobilt/villkor/", path, f"/kort/{holding.active.pk}/"):
        with statements() as asked:
            assert client.get(page, LOST | {"bekrafta": "1"}).status_code == 200
        assert not [sql for sql in asked if re.match(r"(INSERT|UPDATE|DELETE)", sql)], page
    assert client.post(path, sent, headers={"Origin": "http://testserver"}).status_code == 302


def test_log_out_clears_what_the_browser_keeps(holding: Any) -> None:
    """S20."""
    client = holder_client(holding.person)
    answer = client.post("/logga-ut/")
    assert (answer.status_code, answer["Clear-Site-Data"]) == (200, '"cache", "storage"')
    assert client.cookies[live_settings.SESSION_COOKIE_NAME].value == ""
    assert not sessions.live().exists()
