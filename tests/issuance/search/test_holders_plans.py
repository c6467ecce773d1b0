"""That pages of holders walk their indexes, among thousands: the same work for the last page as for the first."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance.authz import Role
from issuance.carriers.models import Eid
from issuance.search.queries import holders
from issuance.search.queries.holders import Choice
from siths_portal.lib.database import plans
from siths_portal.lib.lists import Order
from tests import superuser
from tests.issuance.search.test_holders import listed
from tests.issuance.search.test_searching import fill


def with_eids(world: Any, count: int) -> None:
    """So many people with a card and an active eID each, every other one in the region."""
    fill(world, world.order(), count)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO issuance_eid (id, state, seq, carrier_id, post_id, organisation_id, hsa_id, mail, upn, title,
                assurance_level, valid_from, valid_to, activated_at, revocation_reason, created_at)
            SELECT gen_random_uuid(), 'active', 0, c.id, p.id, c.organisation_id, p.hsa_id, '', '', '', 3, now(),
                now() + (1 + (hashtext(p.hsa_id) & 16383)) * interval '1 hour', now(), '', now()
            FROM issuance_carrier c JOIN issuance_post p ON p.person_id = c.person_id AND p.organisation_id = c.organisation_id
            WHERE NOT EXISTS (SELECT FROM issuance_eid e WHERE e.carrier_id = c.id)
            """
        )
    superuser.analyze()


def work(sql: str) -> tuple[str, int]:
    """The plan of a query, and how many rows of people and what they hold its scans of tables and indexes brought forth.

    The few organisations, offices and orders are not counted: how often they are walked is the planner's choice.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {sql}")
        lines = [row[0] for row in cursor.fetchall()]
    scans = [line for line in lines if re.search(r" Scan .*\bissuance_(eid|carrier|person|personscope|post)(_|\b)", line)]
    rows = [re.search(r"actual rows=([\d.]+) loops=(\d+)", line) for line in scans]
    return "\n".join(lines), sum(round(float(found[1]) * int(found[2])) for found in rows if found)


@pytest.mark.parametrize(
    ("key", "days", "index"),
    [
        ("namn", None, "issuance_person_scope_page"),
        ("id", None, "issuance_eid_page"),
        ("till", 1000, "issuance_eid_ending_page"),
    ],
)
def test_the_last_page_is_no_more_work_than_the_first(world: Any, key: str, days: int | None, index: str) -> None:
    with_eids(world, 6000)
    actor = world.officer(role=Role.RESPONSIBLE_ISSUER)
    choice, order = Choice(days=days), Order(key)
    arguments: dict[str, Any] = {"actor": actor, "organisation_id": world.region.id, "choice": choice, "order": order}
    whole = holders._visible_and_chosen(actor, choice).filter(organisation=world.region.id)
    rows = list(whole.order_by(*holders._ordering(order, choice)).values_list("pk", flat=True))
    assert len(rows) >= 3000
    cost = []
    for after in (None, rows[-52]):
        with CaptureQueriesContext(connection) as queries:
            page = listed(**arguments, after=after)
        assert len(page.lines) == 50
        total = 0
        for walk in (each["sql"] for each in queries if "UNNEST" in each["sql"]):
            with plans.walking_indexes():
                plan, brought = work(walk)
            assert "Incremental Sort" in plan or "Sort" not in plan, plan
            assert index in plan, plan
            total += brought
        cost.append(total)
    first, last = cost
    assert last <= 2 * first < len(rows)


def test_those_of_a_rare_state_are_found_without_reading_the_others(world: Any) -> None:
    with_eids(world, 6000)
    eids = Eid.objects.filter(organisation=world.region.id)
    rare = list(eids.order_by("pk").values_list("pk", flat=True)[:20])
    eids.filter(pk__in=rare).update(state="revoked")
    superuser.analyze()
    arguments: dict[str, Any] = {"actor": world.officer(role=Role.RESPONSIBLE_ISSUER), "organisation_id": world.region.id}
    with CaptureQueriesContext(connection) as queries:
        page = listed(**arguments, choice=Choice(status="revoked"), order=Order("namn"))
    assert len(page.lines) == 20
    brought = [work(each["sql"]) for each in queries]
    assert any("issuance_eid_rare_state" in plan for plan, _ in brought)
    assert sum(rows for _, rows in brought) < 500
