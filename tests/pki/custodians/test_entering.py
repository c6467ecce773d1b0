"""Who may enter shares, how often and how long apart, and what the audit chain and the token see of it. Real SoftHSM."""

import itertools

import pytest
from django.db import connection

from pki import hsm
from pki.custodians import entering, held
from pki.custodians.entering import Entry, Refused
from pki.domain.pin_shares import read, split
from pki.health import starting
from pki.hsm import sessions
from pki.models import Event
from tests.pki.hsm.hsm_faults import counted
from tests.pki_fixtures import TEST_PIN, make_token, remove_tokens

pytestmark = pytest.mark.django_db(transaction=True)
CKR_PIN_INCORRECT = 0xA0
_numbers = itertools.count()


@pytest.fixture
def token(settings, monkeypatch):
    """A token whose PIN comes from custodians, in a process that holds nothing."""
    monkeypatch.setattr(sessions, "_refused_pins", {})
    label = f"custodians-{next(_numbers)}"  # a process takes no second token of the same label
    settings.PKCS11_TOKEN, settings.PKI_START_BY_TWO, settings.PKCS11_PIN_FILE = label, True, ""
    folders = make_token(label)
    yield label
    held.forget()
    remove_tokens(folders)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def entry(token, clock) -> Entry:
    return Entry(verify=starting.token_takes_pin, two_users=True, now=clock)


def events() -> list[tuple[str, str, str]]:
    rows = Event.objects.filter(subject_type="token").order_by("id")
    return [(row.action, row.actor_ref, row.facts.get("half", "")) for row in rows]


def refused(entry: Entry, text: str, user: str, match: str) -> None:
    with pytest.raises(Refused, match=match) as caught:
        entry.enter(text, user)
    assert text not in str(caught.value)


def test_two_custodians_open_the_token_and_the_events_name_them(entry):
    one, other = split(TEST_PIN)
    with pytest.raises(hsm.HsmConfigError, match="two custodians"):
        hsm.issuing_hsm().random(8)
    assert entry.progress().text == "väntar på nyckelhållare: 0 av 2 delar"
    assert entry.enter(other, "bertil").text == "väntar på nyckelhållare: 1 av 2 delar"
    with pytest.raises(hsm.HsmConfigError):
        hsm.issuing_hsm().random(8)
    assert entry.enter(one, "anna").is_complete
    assert len(hsm.issuing_hsm().random(8)) == 8
    assert events() == [
        ("custodian.share_entered", "operator:bertil", "B"),
        ("custodian.share_entered", "operator:anna", "A"),
        ("custodian.start_completed", "operator:anna", "A"),
    ]


def test_wrong_shares_never_reach_the_token(entry):
    (one, other), (strange, _) = split(TEST_PIN), split(TEST_PIN)
    with counted("C_Login") as logins:
        entry.enter(one, "anna")
        refused(entry, one, "bertil", "redan angiven")
        refused(entry, other, "anna", "En annan nyckelhållare")
        refused(entry, other[:-1] + ("A" if other[-1] != "A" else "B"), "bertil", "ingen del")
        entry_of_other = split(TEST_PIN)[1]
        refused(entry, entry_of_other, "bertil", "hör inte ihop")
        assert logins == []
        entry.enter(strange, "anna")
        assert not held.is_complete()
    assert [action for action, *_ in events()].count("custodian.share_refused") == 4


def test_a_pin_that_the_token_refuses_costs_one_try(entry):
    one, other = split("000000")
    with counted("C_Login") as logins:
        entry.enter(one, "anna")
        refused(entry, other, "bertil", "Token godtog inte")
        refused(entry, one, "anna", "Token godtog inte")
        assert logins == [CKR_PIN_INCORRECT]
    assert not held.is_complete()
    for text, user in zip(split(TEST_PIN), ("anna", "bertil"), strict=True):
        entry.enter(text, user)
    assert held.is_complete()


def test_two_who_make_up_shares_do_not_lock_the_token(entry, clock):
    with counted("C_Login") as logins:
        for number in range(entering.MOST_WRONG_PINS):
            one, other = split(f"00000{number}")
            entry.enter(one, "anna")
            refused(entry, other, "bertil", "Token godtog inte")
        assert len(logins) == entering.MOST_WRONG_PINS
        clock.seconds = entering.CLOSED_SECONDS + 1
        refused(entry, split("000009")[0], "anna", "Starta om")
        assert len(logins) == entering.MOST_WRONG_PINS


def test_the_second_share_comes_in_time_or_both_are_entered_again(entry, clock):
    one, other = split(TEST_PIN)
    entry.enter(one, "anna")
    clock.seconds = entering.BETWEEN_SECONDS + 1
    assert entry.progress().halves == ()
    assert entry.enter(other, "bertil").halves == ("B",)
    assert entry.enter(one, "anna").is_complete


def test_after_some_refused_shares_none_of_that_user_is_taken_for_a_while(entry, clock):
    one, other = split(TEST_PIN)
    entry.enter(one, "anna")
    for _ in range(entering.MOST_REFUSED):
        refused(entry, "x", "mallory", "ingen del")
    refused(entry, other, "mallory", "Vänta en kvart")
    assert entry.progress().halves == ("A",)
    clock.seconds = entering.CLOSED_SECONDS + 1
    assert entry.enter(one, "mallory").halves == ("A",)
    assert entry.enter(other, "bertil").is_complete


def test_one_who_enters_nonsense_keeps_nobody_else_out(entry):
    one, other = split(TEST_PIN)
    for _ in range(entering.MOST_REFUSED):
        refused(entry, "x", "mallory", "ingen del")
    entry.enter(one, "anna")
    assert entry.enter(other, "bertil").is_complete


def test_a_share_whose_event_cannot_be_stored_is_not_taken(entry):
    connection.close()
    known = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = "no-such-database"
    try:
        for _ in range(entering.MOST_REFUSED + 1):
            refused(entry, split(TEST_PIN)[0], "anna", "Databasen svarar inte")
    finally:
        connection.close()
        connection.settings_dict["NAME"] = known
    assert entry.progress().halves == ()


def test_what_is_forgotten_is_overwritten_and_gives_no_pin(token):
    held.hold(*(read(text) for text in split(TEST_PIN)))
    blocks = [block for _, block in held._blocks.values()]
    assert held.pin() == TEST_PIN
    held.forget()
    assert {bytes(block) for block in blocks} == {bytes(32)}
    with pytest.raises(LookupError):
        held.pin()
