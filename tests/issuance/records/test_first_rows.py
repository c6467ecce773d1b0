"""The small region that a test has as a copy is the one that the services make."""

from issuance.organisations.models import IssuingArea
from siths_portal.lib import clock
from tests import first_rows
from tests.conftest import flush_database
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
