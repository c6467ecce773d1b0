"""Many people read in the person register at once, and merged by set."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person
from issuance.people.services import register_reading
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.errors import Unavailable


def read(*people: Person) -> int:
    answers = register_reading.ask([person.pk for person in people])
    with transaction.atomic():
        return register_reading.merge(answers)


def test_what_changed_is_stored_with_an_event_for_each_person(world: Any) -> None:
    renamed, protected, dead, same = (world.post().person for _ in range(4))
    before = Event.objects.count()
    world.outside.change_person(world.key_of(renamed), surname="Ny", given_name_in_use="Åsa")
    world.outside.change_person(world.key_of(protected), protected_population_record=True)
    world.outside.change_person(world.key_of(dead), deceased=True)
    assert read(renamed, protected, dead, same) == 3
    for person in (renamed, protected, dead, same):
        person.refresh_from_db()
    assert (renamed.surname, renamed.sort_name, protected.is_protected, dead.deceased) == ("Ny", "Ny, Åsa", True, True)
    assert PersonScope.objects.get(person=renamed).sort_name == "Ny, Åsa"
    assert PersonScope.objects.differences() == (0, 0, 0)
    told = dict(Event.objects.filter(action="person.changed").values_list("subject_ref", "facts"))
    assert told[str(renamed.pk)] == {"fields": ["given_name_in_use", "surname"]}
    assert told[str(protected.pk)] == {"fields": ["protected_population_record"]}
    assert told[str(dead.pk)] == {"fields": ["deceased"]}
    assert str(same.pk) not in told
    assert Event.objects.count() == before + 3
    assert read(renamed, protected, dead, same) == 0


def test_who_is_unknown_there_or_was_read_later_stays(world: Any) -> None:
    unknown, later = world.post().person, world.post().person
    del world.outside.persons[world.key_of(unknown)]
    world.outside.change_person(world.key_of(later), surname="Gammal")
    answers = register_reading.ask([unknown.pk, later.pk])
    Person.objects.filter(pk=later.pk).update(register_read_at=clock.now() + dt.timedelta(seconds=1))
    with transaction.atomic():
        assert register_reading.merge(answers) == 0
    later.refresh_from_db()
    assert later.surname == "Provsson"


def test_a_batch_takes_as_many_statements_as_one_person(world: Any) -> None:
    people, counts = [world.post().person for _ in range(12)], []
    for part in (people[:1], people[1:]):
        for person in part:
            world.outside.change_person(world.key_of(person), surname="Ny")
        with CaptureQueriesContext(connection) as run:
            assert read(*part) == len(part)
        counts.append(len(run))
    assert counts[0] == counts[1]


def test_a_register_that_does_not_answer_changes_nobody(world: Any) -> None:
    person = world.post().person
    world.outside.down = True
    with pytest.raises(Unavailable):
        read(person)
