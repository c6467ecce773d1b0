"""People, their identifiers, and their assignments from the HSA directory."""

from typing import ClassVar

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Reverse, Upper

from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.organisations.models import Organisation
from siths_portal.lib.ids import new_id


class Person(models.Model):
    """A person. Name and protection flags were read from the person register at `register_read_at`. Postal addresses are
    never stored.

    `catalogue_read_at` is when all the person's assignments were last read together, which is done only for role holders (ADR
    0036). `is_protected` covers both kinds, sekretessmarkering and skyddad folkbokföring. `sort_name` sorts lists in Swedish
    order.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    given_names = models.CharField(max_length=100)
    given_name_in_use = models.CharField(max_length=100)
    surname = models.CharField(max_length=100)
    sort_name = models.CharField(max_length=210, db_collation="sv-x-icu")
    protected_person_indicator = models.BooleanField(default=False)
    protected_population_record = models.BooleanField(default=False)
    is_protected = models.BooleanField(default=False)
    deceased = models.BooleanField(default=False)
    synthetic = models.BooleanField(default=False)
    register_read_at = models.DateTimeField(null=True)
    catalogue_read_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    objects: ClassVar[ScopedManager["Person"]] = ScopedManager()
    scope = ScopeRule(path="organisation__scope_path", through=("scopes",), protected="is_protected", person="id")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(is_protected=True) & (Q(protected_person_indicator=True) | Q(protected_population_record=True))
                | Q(is_protected=False, protected_person_indicator=False, protected_population_record=False),
                name="issuance_person_protected",
            ),
        ]
        indexes = [
            # Search by the beginning of a name.
            models.Index(OpClass(Lower("sort_name"), name="text_pattern_ops"), name="issuance_person_name"),
            # For lists of a wide scope, which leave the rows of protected persons out.
            models.Index(fields=["id"], condition=Q(is_protected=True), name="issuance_person_is_protected"),
        ]


class CatalogueName(models.Model):
    """The name that the HSA directory had when it was last read, of a person whose name in the register was another one then.

    Each reading writes it: the import of a file, the nightly one of role holders, and the one at each order and visit. Register
    care compares it with the person's present name.
    """

    person = models.OneToOneField(Person, primary_key=True, on_delete=models.PROTECT, related_name="catalogue_name")
    given_name = models.CharField(max_length=100)
    surname = models.CharField(max_length=100)


class PersonIdentifier(models.Model):
    """A person's number, which at most one person has at a time. Kinds: personnummer, samordningsnummer, passport, reserve."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="identifiers")
    kind = models.CharField(max_length=20)
    value = models.CharField(max_length=40)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["personnummer", "samordningsnummer", "passport", "reserve"]),
                name="issuance_identifier_kind",
            ),
            models.UniqueConstraint(fields=["kind", "value"], condition=Q(valid_to=None), name="issuance_identifier_one_holder"),
            models.UniqueConstraint(
                fields=["person", "kind"], condition=Q(valid_to=None), name="issuance_identifier_one_of_kind"
            ),
        ]
        indexes = [models.Index(fields=["value"], name="issuance_identifier_value")]


class Post(models.Model):
    """An assignment: an HSA-id of one person in one organisation.

    `valid_to` is its last day. `ended_at` is when the portal found that the HSA directory no longer has it.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    hsa_id = models.CharField(max_length=31)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="posts")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="posts")
    title = models.CharField(max_length=128, default="")
    mail = models.CharField(max_length=254, default="")
    upn = models.CharField(max_length=254, default="")
    valid_to = models.DateField(null=True)
    ended_at = models.DateTimeField(null=True)
    synced_at = models.DateTimeField()

    objects: ClassVar[ScopedManager["Post"]] = ScopedManager()
    scope = ScopeRule(path="organisation__scope_path", protected="person__is_protected", person="person_id")

    class Meta:
        constraints = [
            models.UniqueConstraint(Upper("hsa_id"), condition=Q(ended_at=None), name="issuance_post_hsa_id"),
        ]
        indexes = [
            # Search by the end of an HSA-id.
            models.Index(OpClass(Reverse(Upper("hsa_id")), name="text_pattern_ops"), name="issuance_post_hsa_ending"),
        ]
