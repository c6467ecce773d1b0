"""Log-in and log-out over real HTTP: the portal's process, the provider's process, and a visitor that presses what it reads."""

from collections.abc import Iterator
from typing import Any

import pytest

from authn.models import Event, Session
from issuance.carriers.models import Carrier
from issuance.people.models.persons import Person
from siths_portal.demo.browsing import Browser, Page
from tests.authn.stage import CODE, Authority, Stage
from tests.chance import without_chance

pytestmark = pytest.mark.django_db(transaction=True)


def to_provider(stage: Stage, path: str = "/installningar/") -> Page:
    return Browser().open(stage.portal + path).press("Logga in")


@pytest.fixture(scope="module")
def authority(stage: Stage) -> Iterator[Authority]:
    made = Authority(stage.trust)
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _empty_reader(stage: Stage) -> Iterator[None]:
    yield
    for card in stage.cards.iterdir():
        card.rename(stage.folder / f"away-{card.name}")


def test_a_test_person_logs_in_comes_where_he_was_going_and_logs_out_at_both(stage: Stage, clerk: Person) -> None:
    stage.know(clerk)
    provider = to_provider(stage)
    assert provider.url.startswith(stage.issuer)
    assert f"Jag legitimerar mig hos {stage.issuer}" in provider.text
    page = provider.press("Logga in", within=clerk.surname)
    assert (page.status, page.path, page.heading) == (200, "/installningar/", "Inställningar")
    assert clerk.posts.get().hsa_id in page.text
    out = page.press("Logga ut")
    assert out.heading == "Du är utloggad"
    end = out.press("Logga ut även hos inloggningstjänsten")
    assert (end.url, end.heading) == (f"{stage.portal}/logga-ut/", "Du är utloggad")
    assert "POST /logout 303" in stage.log("idp")
    assert page.again().path == "/logga-in/"
    again = end.press("Logga in igen")
    assert (again.url.startswith(stage.issuer), again.heading) == (True, "Legitimera dig")  # which asks who it is
    assert Session.objects.get(end_reason="logged-out").id_token == ""


def test_who_has_two_posts_chooses_at_the_provider(stage: Stage, clerk: Person, world: Any) -> None:
    stage.know(clerk)
    second = world.post(world.clinic, person_id=person_id(clerk))
    stage.know(clerk)
    choice = to_provider(stage).press("Logga in", within=clerk.surname)
    assert choice.heading == "Välj uppdrag"
    page = choice.form("Fortsätt").choose(second.hsa_id).send()
    assert page.path == "/installningar/"
    assert second.hsa_id in page.text


def person_id(person: Person) -> Any:
    from issuance.records.domain.ids import PersonId, PersonIdKind

    row = person.identifiers.get(valid_to=None)
    return PersonId(PersonIdKind(row.kind), row.value)


def test_a_choice_that_the_provider_left_to_us_is_made_here(stage: Stage, clerk: Person, world: Any) -> None:
    second = world.post(world.clinic, person_id=person_id(clerk))
    stage.know(clerk, defer_choice=True)
    choice = to_provider(stage).press("Logga in", within=clerk.surname)
    assert choice.path == "/logga-in/uppdrag/"
    assert "Kliniken" in choice.text
    without = choice.press("Fortsätt")
    assert without.status == 422
    assert "Välj ett uppdrag." in without.text
    page = without.form("Fortsätt").choose(second.hsa_id).send()
    assert (page.path, second.hsa_id in page.text) == ("/installningar/", True)
    again = choice.again()
    assert again.path != "/logga-in/uppdrag/", "the choice is made once"


def test_another_posts_hsa_id_cannot_be_chosen(stage: Stage, clerk: Person, world: Any) -> None:
    world.post(world.clinic, person_id=person_id(clerk))
    stage.know(clerk, defer_choice=True)
    stranger = world.post()
    choice = to_provider(stage).press("Logga in", within=clerk.surname)
    form = choice.form("Fortsätt").choose("Kliniken")
    for field in form.element.xpath(".//input[@type='radio']"):
        field.set("value", stranger.hsa_id)
    assert form.send().status == 422
    assert not Session.objects.exclude(subject_ref="").exists()


def test_who_cancels_at_the_provider_is_told_so(stage: Stage, clerk: Person) -> None:
    stage.know(clerk)
    page = to_provider(stage).press("Avbryt inloggningen")
    assert page.url.startswith(stage.portal)
    assert "Du avbröt inloggningen" in page.text
    assert page.has_button("Logga in")


def test_a_person_without_a_role_is_refused(stage: Stage, world: Any) -> None:
    nobody = world.post().person
    stage.know(nobody)
    page = to_provider(stage).press("Logga in", within=nobody.surname)
    assert (page.status, page.heading) == (403, "Du har ingen roll i portalen")
    assert page.has_button("Logga in igen")
    assert page.has_button("Logga ut hos inloggningstjänsten")
    assert Event.objects.get(action="login.refused").facts["reason"] == "no-role"


def test_level_two_is_not_even_brought_to_us(stage: Stage, clerk: Person) -> None:
    stage.know(clerk, acr="http://id.sambi.se/loa/loa2")
    page = to_provider(stage).press("Logga in", within=clerk.surname)
    assert page.status == 400
    refused = Event.objects.get(action="login.refused").facts
    assert (refused["reason"], refused["error"]) == ("provider-error", "unmet_authentication_requirements")


def test_a_card_and_its_code(stage: Stage, clerk: Person, authority: Authority) -> None:
    stage.know(clerk)
    card, _ = authority.card(stage.cards, stage.people[0])
    provider = to_provider(stage)
    code = provider.form("Fortsätt med kort").choose(card.serial[-4:]).send()
    assert "Ange pinkod för SITHS-kort (Legitimering)" in code.text
    assert f"Kort som slutar på {card.serial[-4:]}" in code.text
    wrong = code.form("Legitimera").fill("Ange pinkod", "135791").send()
    assert (wrong.status, "Fel kod" in wrong.text) == (422, True)
    page = wrong.form("Legitimera").fill("Ange pinkod", CODE).send()
    assert page.path == "/installningar/"
    assert Event.objects.get(action="session.started").facts["amr"] == ["sc", "pin"]
    for name in ("idp", "portal"):
        assert card.serial not in stage.log(name)
        assert CODE not in without_chance(stage.log(name))
        assert stage.people[0]["personnummer"] not in stage.log(name)


def test_a_test_person_with_an_activated_card_is_asked_for_it(stage: Stage, clerk: Person, authority: Authority) -> None:
    stage.know(clerk)
    authority.card(stage.cards, stage.people[0])
    code = to_provider(stage).press("Logga in", within=clerk.surname)
    assert "Ange pinkod" in code.text
    assert code.form("Legitimera").fill("Ange pinkod", CODE).send().path == "/installningar/"


def test_a_card_that_is_not_activated_is_not_asked_for(stage: Stage, clerk: Person, authority: Authority) -> None:
    stage.know(clerk)
    authority.card(stage.cards, stage.people[0], code="")
    provider = to_provider(stage)
    assert not provider.has_button("Fortsätt med kort")
    assert provider.press("Logga in", within=clerk.surname).path == "/installningar/"


def test_three_wrong_codes_block_the_card(stage: Stage, clerk: Person, authority: Authority) -> None:
    stage.know(clerk)
    authority.card(stage.cards, stage.people[0])
    page = to_provider(stage).press("Logga in", within=clerk.surname)
    for _ in range(3):
        page = page.form("Legitimera").fill("Ange pinkod", "135791").send()
    assert "Koden är spärrad" in page.text
    assert "Koden är spärrad" in page.form("Legitimera").fill("Ange pinkod", CODE).send().text


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("revoked", "Kortet är spärrat"),
        ("on hold", "Kortet är inte aktiverat"),
        ("unknown", "känner inte till certifikatet"),
        ("responder away", "gick inte att kontrollera om kortet är spärrat"),
        ("expired", "gäller inte nu"),
        ("foreign", "inte en som vi litar på"),
    ],
)
def test_a_card_that_proves_nobody(fault: str, says: str, stage: Stage, clerk: Person, authority: Authority) -> None:
    stage.know(clerk)
    issuer = authority
    if fault == "foreign":
        issuer = Authority(stage.folder, name="Foreign")
    _card, serials = issuer.card(stage.cards, stage.people[0], days=-1 if fault == "expired" else 5)
    if fault == "revoked":
        authority.revoked |= set(serials)
    if fault == "on hold":
        authority.held |= set(serials)
    if fault == "unknown":
        authority.unknown |= set(serials)
    authority.down = fault == "responder away"
    page = to_provider(stage).press("Logga in", within=clerk.surname)
    page = page.form("Legitimera").fill("Ange pinkod", CODE).send()
    authority.down = False
    if fault == "foreign":
        issuer.stop()
    assert (page.status, says in page.text) == (422, True)
    assert not Session.objects.exclude(subject_ref="").exists()


def test_the_log_ins_leave_no_personal_data_in_addresses_and_logs(stage: Stage, clerk: Person) -> None:
    stage.know(clerk)
    page = to_provider(stage).press("Logga in", within=clerk.surname)
    assert page.status == 200
    person = stage.people[0]
    for text in (stage.log("idp"), stage.log("portal"), page.url):
        for secret in (person["personnummer"], person["posts"][0]["hsa_id"], clerk.surname):
            assert secret not in text


def test_both_sites_in_one_browser_and_a_card_that_names_nobody(
    stage: Stage, clerk: Person, world: Any, authority: Authority
) -> None:
    """A clerk keeps the portal's session while they log in to Mina sidor, as themself and with a blank reserve card."""
    stage.know(clerk)
    blank = authority.blank_card(stage.cards)
    card = world.order().carrier
    Carrier.objects.filter(pk=card.pk).update(kind="reserve_card", card_serial=blank.serial)
    browser = Browser()
    provider = browser.open(f"{stage.portal}/installningar/").press("Logga in")
    assert not provider.has_button("Fortsätt med kort"), "the portal asks for no such log-in"
    assert provider.press("Logga in", within=clerk.surname).heading == "Inställningar"
    mina = stage.start_mina_sidor()
    stage.know(clerk, acr="http://id.sambi.se/loa/loa2")
    page = browser.open(f"{mina}/sparra/").press("Logga in").press("Logga in", within=clerk.surname)
    assert (page.url, page.heading) == (f"{mina}/sparra/", "Vad vill du spärra?")
    assert browser.open(f"{stage.portal}/installningar/").heading == "Inställningar"
    assert page.press("Logga ut").heading == "Du är utloggad"
    code = browser.open(f"{mina}/").press("Logga in").form("Fortsätt med kort").choose(blank.serial[-4:]).send()
    page = code.form("Legitimera").fill("Ange pinkod", CODE).send()
    assert page.heading == f"Reservkortet som slutar på {blank.serial[-4:]}"
    assert browser.open(f"{mina}/sparra/").status == 403
    assert browser.open(f"{stage.portal}/installningar/").heading == "Inställningar"
    subjects = Session.objects.filter(ended_at=None).exclude(subject_ref="").values_list("subject_ref", flat=True)
    assert set(subjects) == {f"user:{clerk.pk}", f"card:{card.pk}"}
    number = stage.people[0]["personnummer"]
    for name in ("idp", "portal", "minasidor"):
        assert not [each for each in (blank.serial, number, clerk.surname, CODE) if each in without_chance(stage.log(name))], name
