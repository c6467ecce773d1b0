"""The commands from outside: lines, exit codes, nothing personal."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from billing.customers.models import BillingCustomer
from billing.invoices.models import Invoice
from billing.ledger.models import LedgerEntry
from billing.ports import BillingParty
from billing.prices.models import PriceItem
from billing.records.models import Event
from billing.runs.services import schedule
from siths_portal.lib import clock
from tests.billing.facts import local, uid
from tests.billing.world import APRIL, REGION, customer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def one(facts, prices):
    customer(REGION)
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12), n=3)
    return facts


def run(command: str, *arguments: str, capsys=None) -> tuple[int, str, str]:
    """Exit code, output and error line, as `manage.py` would give them."""
    capsys.readouterr()
    try:
        call_command(command, *arguments)
    except CommandError as error:
        return error.returncode, capsys.readouterr().out, str(error)
    return 0, capsys.readouterr().out, ""


@pytest.fixture
def shell(capsys):
    return lambda command, *arguments: run(command, *arguments, capsys=capsys)


def test_draft_issue_and_again(one, shell):
    assert shell("billing_run", "--month", "2023-04") == (
        0,
        "Region Norr: Utkast, 1 rader, 337,50 kr\napril 2023: 1 kunder prövade, 0 fakturor utfärdade, 0 filer gjorda.\n",
        "",
    )
    code, out, _ = shell("billing_run", "--month", "2023-04", "--issue")
    assert (code, out.splitlines()[0]) == (0, "Region Norr: Utfärdad 2023-000001, 1 rader, 337,50 kr")
    assert "1 fakturor utfärdade, 2 filer gjorda" in out
    code, out, _ = shell("billing_run", "--month", "2023-04", "--issue")
    assert (code, out.splitlines()[-1]) == (0, "april 2023: redan klar, inget ändrat.")


def test_dry_run_leaves_nothing(one, shell):
    code, out, _ = shell("billing_run", "--month", "2023-04", "--dry-run")
    assert (code, "Utkast" in out, Invoice.objects.count(), LedgerEntry.objects.count()) == (0, True, 0, 0)


def test_a_blocked_customer_is_exit_1_with_its_reason(one, shell):
    customer(uid("bad"), name="Kommun Väst", organisation_number="2129990004", buyer_reference="")
    one.card(uid("bad"), uid("a"), "589", local(2023, 4, 12))
    code, out, error = shell("billing_run", "--month", "2023-04", "--issue")
    assert (code, error) == (1, "1 kunder är stoppade, se ovan. Övriga berörs inte.")
    assert "Kommun Väst: Stoppad. Kundens egen referens eller ordernummer saknas i kunduppgifterna (PEPPOL-EN16931-R003)." in out
    assert Invoice.objects.get().number == "2023-000001"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--month", "2023-05"], 2, "Maj 2023 är inte slut"),
        (["--month", "2031-01"], 2, "Januari 2031 är inte slut"),
        (["--month", "april"], 2, "Månaden skrivs ÅÅÅÅ-MM"),
        (["--month", "2023-04", "--issue", "--dry-run"], 2, "går inte ihop"),
    ],
)
def test_wrong_use_is_exit_2(one, shell, arguments, code, message):
    found, _, error = shell("billing_run", *arguments)
    assert (found, message in error) == (code, True)


def test_reconcile(one, shell):
    code, _, error = shell("billing_reconcile", "--month", "2023-04")
    assert (code, error) == (1, "Det finns ingen körning för april 2023.")
    shell("billing_run", "--month", "2023-04", "--issue")
    code, out, _ = shell("billing_reconcile", "--month", "2023-04")
    assert code == 0
    assert [line.split(".")[0].strip() for line in out.splitlines()[:-1]] == [str(n) for n in range(1, 14)]
    assert out.splitlines()[-1] == "april 2023: alla 13 differenser är 0."
    one.card(REGION, uid("a"), "589", local(2023, 4, 13))
    code, out, error = shell("billing_reconcile", "--month", "2023-04")
    assert (code, error) == (1, "april 2023: 1 av 13 differenser är inte 0.")
    assert " 7. Skickade kort och brev mot liggaren: 1 (kort: skickade 4, i liggaren 3)" in out


def test_export(one, shell, tmp_path):
    code, _, error = shell("billing_export", "--month", "2023-04", "--format", "csv", "--to", str(tmp_path))
    assert (code, error) == (1, "Inga fakturor är utfärdade för april 2023.")
    shell("billing_run", "--month", "2023-04", "--issue")
    code, out, _ = shell("billing_export", "--month", "2023-04", "--format", "pdf", "--to", str(tmp_path))
    assert (code, out) == (0, f"{tmp_path}/2023-000001.pdf\n")
    (tmp_path / "blocked" / "2023-000001.pdf").mkdir(parents=True)
    code, _, error = shell("billing_export", "--month", "2023-04", "--format", "pdf", "--to", str(tmp_path / "blocked"))
    assert (code, "går inte att skriva i" in error) == (2, True)


def test_demo_prices_cover_every_article_and_party(facts, shell, settings):
    facts.parties = [
        BillingParty(REGION, "Region Norr", "2329990002", "9200101"),
        BillingParty(REGION, "Region Norr", "2329990002", "9200102"),
    ]
    settings.DEBUG = True
    assert shell("billing_demo_prices", "--since-last-month") == (0, "13 priser och 1 kunder lades till.\n", "")
    assert list(schedule.due_months()) == [APRIL], "the scheduled job invoices last month"
    assert shell("billing_demo_prices") == (0, "0 priser och 0 kunder lades till.\n", "")
    priced = dict(PriceItem.objects.values_list("article_code", "unit_price"))
    assert facts.articles().keys() | {"ABO", "PUK", "RESERV"} <= priced.keys()
    assert (priced["589"], priced["689"], priced["ABO"]) == (90, 50, 95)
    assert priced["589-REK"] > priced["589"]
    facts.card(REGION, facts.office("a", "Kontor A"), "677-REK", local(2023, 4, 12))
    with clock.moved_to(local(2023, 5, 3)):
        assert shell("billing_run", "--month", "2023-04", "--issue")[0] == 0
    settings.DEBUG = False
    assert shell("billing_demo_prices")[0] == 2
    assert BillingCustomer.objects.count() == 1


def test_exit_codes_and_streams_of_the_real_process(one):
    """Without a connected set of facts the process uses the real issuing side, which has no card."""

    def manage(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))

    early = manage("billing_run", "--month", "9998-01")
    assert (early.returncode, early.stdout) == (2, "")
    assert early.stderr.strip().splitlines() == [
        "CommandError: Januari 9998 är inte slut. En månad kan faktureras först när den är slut."
    ]
    assert manage("billing_reconcile", "--month", "2001-01").returncode == 1
    assert manage("billing_export", "--month", "2023-04", "--format", "docx", "--to", "x").returncode == 2
    assert manage("billing_run").returncode == 2


def test_events_hold_what_was_done_and_chain(one, shell):
    from billing.records.models import EventMacs, EventSeal
    from siths_portal.lib.audit import seals, verification

    shell("billing_run", "--month", "2023-04", "--issue")
    actions = list(Event.objects.order_by("id").values_list("action", flat=True))
    assert [action for action in actions if not action.startswith(("price", "customer"))] == [
        "run.opened",
        "invoice.drafted",
        "run.review",
        "invoice.issued",
        "run.issued",
        "invoice.rendered",
        "invoice.rendered",
    ]
    seals.seal(Event, EventSeal)
    assert verification.verify(verification.Tables("billing", Event, EventSeal, EventMacs)).ok
