"""Photographs of holders, as they were re-encoded on arrival."""

from uuid import UUID

from django.db import models
from django.db.models import Q

from issuance.models.events import Document
from issuance.models.persons import Person
from siths_portal.lib.ids import new_id


class PhotoManager(models.Manager["Photo"]):
    """Finds the photo that a person has."""

    def latest_of(self, person_id: UUID) -> "Photo | None":
        """The newest approved photo of the person: the one that pages show and that a new order may use again."""
        return self.filter(person_id=person_id, approved_at__isnull=False).order_by("-uploaded_at", "-id").first()


class Photo(models.Model):
    """Foto: a portrait of a person for a card, JPEG of at most 600x800 pixels, which no row ever changes.

    It is the person's once the clerk who uploaded it has looked at it and gone on (`approved_at`); before that it belongs to
    the draft alone. Who may see it follows from who may see the person.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="photos")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    width = models.PositiveSmallIntegerField()
    height = models.PositiveSmallIntegerField()
    uploaded_at = models.DateTimeField()
    uploaded_by_ref = models.CharField(max_length=200)
    approved_at = models.DateTimeField(null=True)

    objects = PhotoManager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(width__gte=1, width__lte=600, height__gte=1, height__lte=800), name="issuance_photo_size"
            ),
        ]
        indexes = [
            models.Index(
                fields=["person", "-uploaded_at", "-id"], condition=Q(approved_at__isnull=False), name="issuance_photo_latest"
            ),
        ]
