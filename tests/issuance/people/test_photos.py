"""Photographs of holders: who may store and see them, and what is kept of them."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from issuance.authz import Role
from issuance.people.models.photos import Photo
from issuance.people.queries.person_photo import person_photo
from issuance.people.services import photos
from issuance.records.models.events import Document, Event
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden, Invalid, NotFound
from siths_portal.lib.files.images import portrait
from tests.issuance.pictures import picture


def jpegs() -> QuerySet[Document]:
    """The documents that are photos: the world's customisations have logotypes, too."""
    return Document.objects.filter(media_type="image/jpeg")


def test_a_photo_is_a_document_with_who_and_when_and_an_event(world: Any) -> None:
    officer, person = world.officer(), world.post().person
    photo = photos.store(actor=officer, person_id=person.id, content=picture(size=(1200, 1600)))
    photo.refresh_from_db()
    made = portrait(picture(size=(1200, 1600)), field="photo").jpeg
    assert (photo.width, photo.height, photo.uploaded_by_ref, photo.pending) == (600, 800, officer.ref, None)
    assert photo.content == made == bytes(jpegs().get().content)
    events = Event.objects.filter(subject_type="photo").order_by("id")
    assert [event.action for event in events] == ["photo.uploaded", "photo.approved"]
    assert {event.actor_ref for event in events} == {officer.ref}
    assert events[1].facts == {"person": str(person.id), "sha256": jpegs().get().sha256}


def test_the_latest_is_the_newest_that_was_approved(world: Any) -> None:
    officer, person = world.officer(), world.post().person
    assert Photo.objects.latest_of(person.id) is None
    photos.store(actor=officer, person_id=person.id, content=picture(10))
    second = photos.store(actor=officer, person_id=person.id, content=picture(20))
    with transaction.atomic():
        photos.keep_pending(actor=officer, person=person, made=portrait(picture(30), field="photo"))
    assert Photo.objects.latest_of(person.id) == second


def test_the_same_bytes_are_one_document(world: Any) -> None:
    officer = world.officer()
    for post in (world.post(), world.post()):
        photos.store(actor=officer, person_id=post.person_id, content=picture())
    assert Photo.objects.count() == 2
    assert jpegs().count() == 1


def test_a_refused_file_leaves_nothing(world: Any) -> None:
    with pytest.raises(Invalid, match="photo-not-jpeg"):
        photos.store(actor=world.officer(), person_id=world.post().person_id, content=picture()[:-2])
    assert not Photo.objects.exists()
    assert not jpegs().exists()
    assert not Event.objects.filter(subject_type="photo").exists()


def test_who_may_store(world: Any) -> None:
    officer, person = world.officer(world.clinic), world.post(world.region).person
    with pytest.raises(NotFound):
        photos.store(actor=officer, person_id=person.id, content=picture())
    with pytest.raises(Forbidden):
        photos.store(actor=world.officer(role=Role.READER), person_id=person.id, content=picture())
    with pytest.raises(Forbidden, match="own-matter"):
        photos.store(actor=officer, person_id=officer.person_id, content=picture())


def test_who_may_see(world: Any) -> None:
    """Readers see no photo (S12), strangers no person, and a protected person is for those with the add-on."""
    person = world.post().person
    photos.store(actor=world.officer(), person_id=person.id, content=picture())
    assert person_photo(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), person_id=person.id)
    for role in (Role.READER, Role.REVOKER, Role.GLOBAL_READER):
        with pytest.raises(Forbidden):
            person_photo(actor=world.officer(role=role), person_id=person.id)
    with pytest.raises(NotFound):
        person_photo(actor=world.officer(world.city), person_id=person.id)
    hidden = world.post(protected=True).person
    photos.store(actor=world.officer(protected=True), person_id=hidden.id, content=picture())
    with pytest.raises(NotFound):
        person_photo(actor=world.officer(), person_id=hidden.id)


def test_the_database_keeps_approved_and_pending_apart(world: Any) -> None:
    person = world.post().person
    with pytest.raises(IntegrityError, match="issuance_photo_approved_is_document"), transaction.atomic():
        Photo.objects.create(person=person, width=1, height=1, uploaded_at=clock.now(), approved_at=clock.now(), pending=b"x")
    with pytest.raises(IntegrityError, match="issuance_photo_size"), transaction.atomic():
        Photo.objects.create(person=person, width=601, height=1, uploaded_at=clock.now(), pending=b"x")
