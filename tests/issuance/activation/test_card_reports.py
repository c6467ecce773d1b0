"""What the eID app reports from the card reader, and how a code that the holder locked before signing is chosen again."""

from dataclasses import replace
from typing import Any

import pytest

from issuance.activation.domain.card_reports import MOST_REPORTS, CardReport
from issuance.activation.models import EidAppTransaction
from issuance.activation.services import activation, activation_app, card_reports
from issuance.records.models.events import Event
from pki.models import SecretDelivery
from siths_portal.lib.errors import Conflict, Invalid, TooManyRequests, Unauthenticated
from tests.issuance import activated
from tests.issuance.activated import App, Made, identify, reopened, sent_card, unsigned_card

pytestmark = pytest.mark.usefixtures("demo_pki")


def signing(world: Any) -> tuple[Made, activation.Opened, App]:
    """A card whose code is set, in the hands of a holder who is about to sign in a transaction of the kind `sign`."""
    made = unsigned_card(world)
    opened = reopened(world, activation.Opened(EidAppTransaction.objects.get(), ""))
    app = App(made)
    assert app.start(opened).kind == "sign"
    return made, opened, app


def actions(*prefixes: str) -> list[str]:
    return [name for name in Event.objects.order_by("id").values_list("action", flat=True) if name.startswith(prefixes)]


def test_a_wrong_card_shows_until_the_right_one_comes(world: Any, settings: Any) -> None:
    made, other = sent_card(world), sent_card(world)
    opened, app = identify(world, made), App(made)
    unknown = App(Made(activated.Keys(), made.carrier, made.order)).proof(opened)
    foreign = App(other).proof(opened, origin="https://evil.example.org")
    forged = replace(App(other).proof(opened), signature=unknown.signature)
    for proof in (unknown, foreign, forged) * settings.ACTIVATION_WRONG_PROOFS:
        with pytest.raises(Conflict, match="wrong-card"):
            activation_app.start(handle=opened.handle, proof=proof)
    assert activated.transaction(opened).card_report == ""  # anyone with the handle could send these
    with pytest.raises(Conflict, match="wrong-card"):
        activation_app.start(handle=opened.handle, proof=App(other).proof(opened))
    row = activated.transaction(opened)
    assert (row.card_report, row.card_tries_left, row.card_reported_at is not None) == ("wrong-card", None, True)
    app.start(opened)
    assert activated.transaction(opened).card_report == ""


def test_wrong_codes_count_down_and_the_same_report_is_one(world: Any) -> None:
    _made, opened, app = signing(world)
    for tries in (2, 2, 1):
        assert card_reports.record(step_token=app.token, report=CardReport.WRONG_CODE, tries_left=tries) == "started"
    row = activated.transaction(opened)
    assert (row.card_report, row.card_tries_left, row.card_reports) == ("wrong-code", 1, 2)
    events = Event.objects.filter(action="transaction.card_reported").order_by("id")
    assert [event.facts["tries_left"] for event in events] == [2, 1]
    assert {event.actor_ref for event in events} == {f"holder:{row.carrier.person_id}"}


def test_a_blocked_code_is_chosen_again_with_the_puk_of_a_reopened_transaction(world: Any) -> None:
    made, opened, app = signing(world)
    card_reports.record(step_token=app.token, report=CardReport.CODE_BLOCKED)
    before = made.fresh()
    assert before.code_blocked_at is not None
    again = reopened(world, opened)
    assert again.transaction.kind == "activate"
    second = App(made)
    second.start(again)
    assert set(second.secrets) == {"step_token", "puk"}
    with pytest.raises(Conflict, match="code-not-set"):
        second.complete()
    assert [second.set_code(), second.set_code()] == ["code_set", "code_set"]
    after = made.fresh()
    assert (after.code_blocked_at, after.code_set_at) == (None, before.code_set_at)  # the days to sign in are not drawn out
    assert activated.transaction(again).card_report == "code-reset"
    second.complete()
    assert made.fresh().state == "active"
    assert actions("carrier.code") == ["carrier.code_set", "carrier.code_blocked", "carrier.code_reset"]
    assert SecretDelivery.objects.filter(kind="activate").count() == 2


def test_a_new_identification_gives_the_puk_of_a_blocked_card_too(world: Any) -> None:
    made, _opened, app = signing(world)
    card_reports.record(step_token=app.token, report=CardReport.CODE_BLOCKED)
    assert identify(world, made).transaction.kind == "activate"


def test_a_code_that_is_blocked_beside_its_puk_is_reset_in_the_same_transaction(world: Any) -> None:
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    app.start(opened)
    app.set_code()
    card_reports.record(step_token=app.token, report=CardReport.CODE_BLOCKED)
    app.set_code()
    assert (made.fresh().code_blocked_at, activated.transaction(opened).card_report) == (None, "code-reset")
    app.complete()
    assert made.fresh().state == "active"


def test_a_signature_shows_that_the_code_works(world: Any) -> None:
    made, _opened, app = signing(world)
    card_reports.record(step_token=app.token, report=CardReport.CODE_BLOCKED)
    app.complete()
    assert (made.fresh().state, made.fresh().code_blocked_at) == ("active", None)


def test_a_card_that_still_waits_for_its_code_is_not_marked(world: Any) -> None:
    made = sent_card(world)
    app = App(made)
    app.start(identify(world, made))
    card_reports.record(step_token=app.token, report=CardReport.CODE_BLOCKED)
    assert made.fresh().code_blocked_at is None


def test_the_limit_of_deliveries_is_shown_to_the_clerk(world: Any, settings: Any) -> None:
    settings.SECRET_DELIVERIES_PER_DAY = 1
    made, opened, app = signing(world)
    card_reports.record(step_token=app.token, report=CardReport.CODE_BLOCKED)
    again = reopened(world, opened)
    with pytest.raises(TooManyRequests, match="secret-deliveries"):
        App(made).start(again)
    row = activated.transaction(again)
    assert (row.card_report, row.state) == ("puk-limit", "created")


def test_reports_that_are_refused(world: Any) -> None:
    _made, opened, app = signing(world)
    for report in (CardReport.CODE_RESET, CardReport.PUK_LIMIT):
        with pytest.raises(Invalid, match="card-report"):
            card_reports.record(step_token=app.token, report=report)
    with pytest.raises(Unauthenticated):
        card_reports.record(step_token=opened.handle, report=CardReport.WRONG_CARD)
    EidAppTransaction.objects.filter(pk=opened.transaction.pk).update(card_reports=MOST_REPORTS)
    with pytest.raises(TooManyRequests, match="card-reports"):
        card_reports.record(step_token=app.token, report=CardReport.WRONG_CARD)
    activation.cancel(actor=world.officer(), transaction_id=opened.transaction.pk)
    with pytest.raises(Conflict, match="transaction-ended"):
        card_reports.record(step_token=app.token, report=CardReport.WRONG_CARD)
