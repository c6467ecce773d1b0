"""Many organisations of one file are made at once: few statements, each one's place, event and refusal as if it came alone."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance.articles.models import SubscriptionFee
from issuance.imports.domain import SetupTable
from issuance.imports.services import SETUP_IMPORTER
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.areas import create_area
from issuance.organisations.services.tree import child_path
from issuance.records.models.events import Event
from siths_portal.lib.errors import Conflict
from tests import superuser
from tests.issuance.imports.test_setup_import import ORGANISATION, admin, carried_out, csv, issuer, kept
from tests.issuance.world import SETUP

TOP = "TST2321000131-1000"


def tree(count: int, *, first: int = 3000) -> list[dict[str, str]]:
    """So many organisations on three levels below the region, those below before those above them."""
    rows = []
    for number in range(count):
        half = count // 2
        above = TOP if number == 0 else f"TST2321000131-{first + (0 if number < half else min(number - half + 1, half - 1))}"
        hsa_id = f"TST2321000131-{first + number}"
        rows.append({**ORGANISATION, "name": f"Enhet {first + number}", "hsa_id": hsa_id, "parent": above})
    return rows[::-1]


def queries_of(world: Any, rows: list[dict[str, str]]) -> int:
    actor = issuer(world)
    row, plan = kept(actor, csv(SetupTable.ORGANISATIONS, *rows))
    assert not plan.has_errors, [line.errors for line in plan.rows if line.errors]
    with CaptureQueriesContext(connection) as queries:
        SETUP_IMPORTER.carry_out(actor=actor, import_id=row.pk, sha256=plan.sha256)
    return len(queries)


def test_a_hundred_cost_the_queries_of_eight(world: Any) -> None:
    few = queries_of(world, tree(8))
    assert queries_of(world, tree(100, first=5000)) == few
    assert few <= 40


def test_each_has_its_place_and_its_event(world: Any) -> None:
    actor = issuer(world)
    made = carried_out(actor, csv(SetupTable.ORGANISATIONS, *tree(20))).made["organisations"]
    rows = {row.hsa_id: row for row in Organisation.objects.filter(pk__in=made).select_related("parent")}
    assert len(rows) == 20
    for told in tree(20):
        row = rows[told["hsa_id"]]
        assert row.parent is not None
        assert (row.parent.hsa_id, row.name, row.area_id) == (told["parent"], told["name"], world.area.id)
        assert row.scope_path == child_path(row.parent, row)
    events = {event.subject_ref: event for event in Event.objects.filter(action="organisation.created", actor_ref=actor.ref)}
    assert set(events) == {str(pk) for pk in made}
    row = rows["TST2321000131-3001"]
    assert events[str(row.pk)].facts == {
        "name": "Enhet 3001", "hsa_id": "TST2321000131-3001", "organisation_number": "2321000131", "country": "SE", "county": "",
        "area_id": str(world.area.id), "parent_id": str(row.parent_id), "customisation_id": None, "issuing": False,
        "catalogue": "silent",
    }  # fmt: skip


def test_those_at_the_top_get_their_fees_and_their_area_its_issuer(world: Any) -> None:
    area = create_area(actor=SETUP, name="Nytt område")
    tops = [
        {**ORGANISATION, "name": name, "hsa_id": f"TST2321000131-{3000 + number}", "area": area.name, "charged": charged}
        for number, (name, charged) in enumerate((("Ett", "Ja"), ("Två", "Nej")))
    ]
    tops[1]["issuing"] = "Ja"
    carried_out(admin(world), csv(SetupTable.ORGANISATIONS, *tops, {**ORGANISATION, "name": "Tre", "parent": tops[0]["hsa_id"]}))
    assert IssuingArea.objects.get(pk=area.pk).issuing_organisation == Organisation.objects.get(name="Två")
    assert dict(SubscriptionFee.objects.filter(organisation__area=area).values_list("organisation__name", "charged")) == {
        "Ett": True, "Två": False,
    }  # fmt: skip
    assert Event.objects.filter(action="organisation.fee_set", facts__charged__isnull=False).count() >= 2


def test_the_one_that_is_refused_is_named_and_none_is_made(world: Any) -> None:
    actor = issuer(world)
    row, plan = kept(actor, csv(SetupTable.ORGANISATIONS, *tree(12)))
    before = (Organisation.objects.count(), Event.objects.count())
    with superuser.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN IF NEW.hsa_id = 'TST2321000131-3004' THEN RAISE unique_violation USING MESSAGE = 'taken'; END IF;"
            " RETURN NEW; END $$;"
            " CREATE TRIGGER taken BEFORE INSERT ON issuance_organisation FOR EACH ROW EXECUTE FUNCTION taken()"
        )
    try:
        with pytest.raises(Conflict) as refused:
            SETUP_IMPORTER.carry_out(actor=actor, import_id=row.pk, sha256=plan.sha256)
    finally:
        with superuser.cursor() as cursor:
            cursor.execute("DROP TRIGGER taken ON issuance_organisation; DROP FUNCTION taken()")
    assert refused.value.message.startswith("Inget har lästs in. På rad 9: HSA-id tillhör redan en annan organisation.")
    assert (Organisation.objects.count(), Event.objects.count()) == before
