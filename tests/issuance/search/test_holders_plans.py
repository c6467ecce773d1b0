"""That pages of holders walk their indexes, among thousands: the same work for the last page as for the first."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance.authz import Role
from issuance.search.queries import holders
from issuance.search.queries.holders import Choice
from siths_portal.lib.database import plans
from siths_portal.lib.lists import Order
from tests import superuser
from tests.conftest import flush_database
from tests.issuance.outside import Outside, connected
from tests.issuance.search.test_holders import listed
from tests.issuance.search.test_searching import fill
from tests.issuance.world import World

PEOPLE = 6100
REVOKED = [f"TST2321000131-Q{number:04}" for number in range(300, 6001, 300)]
"""Posts in the region whose eIDs are revoked: few, and in every part of the list."""


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """The small region, and `PEOPLE` with a card and an eID each, every other one in the region. Tests only read."""
    with django_db_blocker.unblock(), connected(Outside()) as outside:
        superuser.renew_tables("issuance")
        try:
            made = World(outside)
            made.officer(role=Role.RESPONSIBLE_ISSUER)
            fill(made, made.order(), PEOPLE)
            _give_eids()
            superuser.analyze()
            yield made
        finally:
            flush_database()


def _give_eids() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO issuance_eid (id, state, seq, carrier_id, post_id, organisation_id, hsa_id, mail, upn, title,
                assurance_level, valid_from, valid_to, activated_at, revocation_reason, created_at)
            SELECT gen_random_uuid(), CASE WHEN p.hsa_id = ANY(%s) THEN 'revoked' ELSE 'active' END, 0, c.id, p.id,
                c.organisation_id, p.hsa_id, '', '', '', 3, now(),
                now() + (1 + (hashtext(p.hsa_id) & 16383)) * interval '1 hour', now(), '', now()
            FROM issuance_carrier c JOIN issuance_post p ON p.person_id = c.person_id AND p.organisation_id = c.organisation_id
            WHERE NOT EXISTS (SELECT FROM issuance_eid e WHERE e.carrier_id = c.id)
            """,
            [REVOKED],
        )


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
def test_the_last_page_is_no_more_work_than_the_first(world: World, key: str, days: int | None, index: str) -> None:
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


def test_those_of_a_rare_state_are_found_without_reading_the_others(world: World) -> None:
    arguments: dict[str, Any] = {"actor": world.officer(role=Role.RESPONSIBLE_ISSUER), "organisation_id": world.region.id}
    with CaptureQueriesContext(connection) as queries:
        page = listed(**arguments, choice=Choice(status="revoked"), order=Order("namn"))
    assert len(page.lines) == len(REVOKED) == 20
    brought = [work(each["sql"]) for each in queries]
    assert any("issuance_eid_rare_state" in plan for plan, _ in brought)
    assert sum(rows for _, rows in brought) < 500
