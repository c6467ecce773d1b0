"""The small region that a test has as a copy is the one that the services make; a card in it too."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from issuance.organisations.models import IssuingArea
from siths_portal.lib import clock
from tests import first_rows
from tests.conftest import _end_transactions, flush_database, nobody_works
from tests.issuance.activated import Made, activated_card, identify, sent_card
from tests.issuance.outside import Outside
from tests.issuance.world import World


def everything() -> dict[str, list[bytes]]:
    """All rows of the database, whatever order they lie in."""
    return {table: sorted(text.splitlines()) for table, text in first_rows.texts().items()}


def test_a_copy_is_as_what_the_services_make(transactional_db: None) -> None:
    flush_database()  # a process's first test finds what migrations made
    first_rows.forget()
    first = World(Outside())
    made = everything()
    flush_database()
    outside = Outside()
    copied = World(outside)
    assert everything() == made
    assert len(made["issuance_event"]) > 20
    assert (outside.calls, outside.posts, outside.persons) == ([], {}, {})
    for name in ("area", "region", "clinic", "city", "stranger", "office"):
        one, other = getattr(first, name), getattr(copied, name)
        assert (one.pk, one.name, vars(one).keys()) == (other.pk, other.name, vars(other).keys() - {"_django_version"})
        assert one._state.fields_cache.keys() == other._state.fields_cache.keys()
        assert type(other).objects.filter(pk=other.pk).exists()


def test_each_test_has_rows_and_instances_of_its_own(transactional_db: None) -> None:
    one = World(Outside())
    one.region.name = "Ändrad"
    one.region.save()
    flush_database()
    other = World(Outside())
    other.region.refresh_from_db()
    assert other.region is not one.region
    assert other.region.name == "Regionen"


def test_beside_other_rows_they_are_made(transactional_db: None) -> None:
    first_rows.forget()
    World(Outside())
    flush_database()
    area = IssuingArea.objects.create(name="Tidigare", scope_path="/t/", created_at=clock.now())
    world = World(Outside())
    assert set(IssuingArea.objects.values_list("name", flat=True)) == {"Tidigare", "Regionen", "Annan region"}
    assert area.pk != world.area.pk


class TestFurtherRows:
    """Rows onto copies: a card on its way and one in its holder's hands, of the PKI and of issuance."""

    @pytest.fixture
    def beginning(self, pki_snapshot: Any, outside: Outside, transactional_db: None) -> Callable[[], World]:
        """Empties the tables and lays the copies that most tests begin with."""

        def begin() -> World:
            assert nobody_works(), "a worker of an earlier test is still there"
            flush_database()
            pki_snapshot.use()
            vars(outside).update(vars(Outside()))
            return World(outside)

        begin()  # after which the region is a copy
        return begin

    @pytest.mark.parametrize("make", [sent_card, activated_card])
    def test_a_copy_is_as_what_the_services_make(
        self, beginning: Callable[[], World], outside: Outside, make: Callable[[World], Made]
    ) -> None:
        first_rows.forget()
        beginning()
        world = beginning()
        made, rows, known = make(world), everything(), dict(vars(outside))
        other = beginning()
        copied = make(other)
        assert everything() == rows
        assert (copied.carrier.pk, copied.order.pk, copied.keys.serial) == (made.carrier.pk, made.order.pk, made.keys.serial)
        assert copied.carrier is not made.carrier
        assert (vars(outside), other.officers) == (known, world.officers)
        assert copied.certificates == made.certificates

    def test_a_copy_goes_on_and_another_card_is_made_beside_it(self, beginning: Callable[[], World]) -> None:
        first = sent_card(beginning())
        world = beginning()
        copied, made = sent_card(world), sent_card(world)
        assert copied.carrier.pk == first.carrier.pk != made.carrier.pk
        assert {identify(world, each).transaction.state for each in (copied, made)} == {"created"}

    def test_beside_other_rows_and_under_other_settings_they_are_made(
        self, beginning: Callable[[], World], settings: Any
    ) -> None:
        known = sent_card(beginning()).carrier.pk
        world = beginning()
        IssuingArea.objects.create(name="Tidigare", scope_path="/t/", created_at=clock.now())
        assert sent_card(world).carrier.pk != known
        settings.MINIMUM_AGE_LOA3 = 17
        assert sent_card(beginning()).carrier.pk != known


def test_temporary_tables_of_a_test_are_gone_before_its_rows_are(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE left_over (id integer)")
    _end_transactions()
    assert first_rows._ground.untouched() == frozenset()
