"""The table of an import's files: the rows of each file, kept until it is carried out or expires."""

from django.db import models
from django.db.models import Q

from siths_portal.lib.ids import new_id
from siths_portal.lib.imports.columns import FileFormat


class KeptImport(models.Model):
    """Base of the table of one kind of import: the rows of an uploaded file (`ImportedRow.plain`). URLs contain only its id.

    Only its owner opens it, until `expires_at`. Once `done_at` is set it has been carried out, `rows` is empty and `made`
    describes what was made. `sha256` is the file's. A model sets `Meta.constraints` and `Meta.indexes` by the functions below.
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
        abstract = True


def constraints(prefix: str) -> list[models.BaseConstraint]:
    """Returns the constraints of such a table, with names that begin with `prefix`."""
    return [
        models.CheckConstraint(condition=Q(format__in=[each.value for each in FileFormat]), name=f"{prefix}_format"),
        models.CheckConstraint(condition=Q(done_at=None) | Q(rows=[]), name=f"{prefix}_done_is_empty"),
    ]


def indexes(prefix: str) -> list[models.Index]:
    """Returns the indexes of such a table, with names that begin with `prefix`."""
    return [
        models.Index(fields=["expires_at"], name=f"{prefix}_ends"),
        models.Index(fields=["owner_ref", "created_at"], name=f"{prefix}_owner"),
    ]
