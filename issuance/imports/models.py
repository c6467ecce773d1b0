"""Imports of the set-up from files: what was read, kept until it is carried out or its time is out."""

from django.db import models
from django.db.models import Q

from issuance.imports.domain import Format
from siths_portal.lib.ids import new_id


class SetupImport(models.Model):
    """A file that a person sent, as rows (`imports.services.reading.Row.plain`). Its id alone stands in addresses.

    It opens for its owner until `expires_at`. Once `done_at` is set it has been carried out, `rows` is empty and `made` tells
    the ids of what was made; until then nothing of it is in force. `sha256` is the file's.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    owner_ref = models.CharField(max_length=200)
    format = models.CharField(max_length=4)
    sha256 = models.CharField(max_length=64)
    rows = models.JSONField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    made = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(format__in=[each.value for each in Format]), name="issuance_setup_import_format"),
            models.CheckConstraint(condition=Q(done_at=None) | Q(rows=[]), name="issuance_setup_import_done_is_empty"),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="issuance_setup_import_ends"),
            models.Index(fields=["owner_ref", "created_at"], name="issuance_setup_import_owner"),
        ]
