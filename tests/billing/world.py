"""What billing's tests are made of: prices, customers, the slides' two sketches."""

import datetime as dt
import pickle
from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import psycopg2
from django.db import connection

from billing.customers.services.customers import CustomerTerms, put_customer
from billing.prices.services.prices import set_price
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun
from billing.runs.services import issuing
from billing.service import run_month
from tests.billing.facts import Facts, local, uid
from tests.first_rows import first_rows

APRIL = Month(2023, 4)
IN_MAY = local(2023, 5, 2, 6)
REGION, MUNICIPALITY = uid("region"), uid("municipality")
tampered: list[str] = []
"""What the running test did to rows behind the back of the services."""


def price(code: str, amount: str, *, valid_from: dt.date = dt.date(2020, 1, 1), party_id=None, vat: str = "25") -> None:
    set_price(
        actor_ref="user:test",
        article_code=code,
        unit_price=Decimal(amount),
        vat_rate=Decimal(vat),
        valid_from=valid_from,
        party_id=party_id,
    )


def slide_prices() -> None:
    """The slides' prices."""
    for code, amount in (("589", "90"), ("689", "50"), ("ABO", "95")):
        price(code, amount)


def terms(**changes: object) -> CustomerTerms:
    values: dict[str, object] = {
        "name": "Region Norr",
        "organisation_number": "2329990002",
        "street": "Box 100",
        "postal_code": "123 45",
        "city": "Demostad",
        "buyer_reference": "9200101",
    }
    return CustomerTerms(**{**values, **changes})  # type: ignore[arg-type]


def customer(party: UUID, **changes: object) -> None:
    put_customer(actor_ref="user:test", party_id=party, terms=terms(**changes))


def offices_sold(facts: Facts, party, prefix: str, *, part: int = 1) -> None:
    """The cards of both sketches: 1000 + 350 at Kontor A, 510 + 100 at Kontor B, or one in `part` of them."""
    for name, first, second in (("Kontor A", 1000, 350), ("Kontor B", 510, 100)):
        office = facts.office(f"{prefix} {name}", name)
        facts.card(party, office, "589", local(2023, 4, 12, 9), n=first // part)
        facts.card(party, office, "689", local(2023, 4, 20, 9), n=second // part)


def both_sketches(facts: Facts, *, part: int = 1) -> None:
    """Both customers of the slides, in April 2023, with one in `part` of their cards."""
    customer(REGION, name="Västra Götalandsregionen", organisation_number="2329990010")
    customer(MUNICIPALITY, name="Demo kommun", organisation_number="2129990012", buyer_reference="", order_number="DLL1234567")
    offices_sold(facts, REGION, "region", part=part)
    offices_sold(facts, MUNICIPALITY, "municipality", part=part)
    facts.count("2023-04", REGION, "Öckerö kommun", 480)
    facts.count("2023-04", REGION, "Partille kommun", 401)
    facts.count("2023-04", MUNICIPALITY, "Vingåkers kommun", 5)
    facts.count("2023-04", MUNICIPALITY, "Demo kommun", 2, direct=True)


def made_once(name: str, facts: Facts, make: Callable[[], object]) -> None:
    """Calls `make` in billing's empty tables and fills in `facts`; later tests have copies of both. The facts are kept pickled,
    because they are loaded in a seventh of the time that a deep copy of them takes.
    """

    def rows() -> dict[str, bytes]:
        make()
        return {"facts": pickle.dumps(vars(facts))}

    vars(facts).update(pickle.loads(first_rows(name, "billing", rows)["facts"]))


def sketches_issued(facts: Facts) -> None:
    """Both sketches with numbers, their files not made yet."""

    def make() -> None:
        slide_prices()
        both_sketches(facts)
        run_month(APRIL, actor_ref="user:test")
        issuing.issue(InvoiceRun.objects.get(), actor_ref="user:test")

    made_once("sketches issued", facts, make)


def tamper(*statements: str) -> None:
    """As someone with the superuser's rights and the triggers off."""
    tampered.extend(statements)
    options = connection.settings_dict
    superuser = psycopg2.connect(dbname=options["NAME"], user="postgres", host=options["OPTIONS"]["host"])
    with superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement)
            assert cursor.rowcount > 0, statement
    superuser.close()
