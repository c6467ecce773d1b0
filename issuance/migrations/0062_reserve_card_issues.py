"""Reserve cards handed out to persons: the hand-out, the statements that officers sign, and requests for certificates."""

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids
from siths_portal.lib.events import kept

_PROTECT = django.db.models.deletion.PROTECT
_OPEN = ["proposed", "waiting"]
_DOCUMENTS = ("driving_licence", "passport", "tax_agency_id", "sis_id", "national_id")


def _one(to: str, name: str, **options: object) -> models.OneToOneField:
    return models.OneToOneField(on_delete=_PROTECT, related_name=name, to=to, **options)


def _many(to: str, name: str) -> models.ForeignKey:
    return models.ForeignKey(on_delete=_PROTECT, related_name=name, to=to)


class Migration(migrations.Migration):
    dependencies = [("issuance", "0061_person_news_index")]

    operations = [
        migrations.AlterField(
            "eidapptransaction",
            "identification",
            models.ForeignKey(null=True, on_delete=_PROTECT, related_name="transactions", to="issuance.identification"),
        ),
        migrations.AddConstraint(
            "eidapptransaction",
            models.CheckConstraint(
                condition=models.Q(("identification__isnull", False), ("kind", "sign"), _connector="OR"),
                name="issuance_transaction_identified",
            ),
        ),
        migrations.RemoveConstraint("stockcard", "issuance_stock_state"),
        migrations.AddConstraint(
            "stockcard",
            models.CheckConstraint(
                condition=models.Q(("state__in", ["in_stock", "missing", "handed_out", "damaged", "lost", "ended"])),
                name="issuance_stock_state",
            ),
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                ("transaction", _one("issuance.eidapptransaction", "statement", primary_key=True, serialize=False)),
                ("purpose", models.CharField(max_length=30)),
                ("subject_ref", models.UUIDField(db_index=True)),
                ("content", models.JSONField()),
                ("summary", models.TextField()),
                ("signature", models.BinaryField(default=bytes)),
                ("certificate_id", models.UUIDField(null=True)),
                ("signed_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="CertificateRequest",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("eid", _one("issuance.eid", "certificate_request")),
                ("transaction", _many("issuance.eidapptransaction", "certificate_requests")),
                ("csrs", models.JSONField()),
                ("keys", models.JSONField()),
                ("certificate_ids", models.JSONField()),
                ("signature", models.BinaryField()),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ReserveCardIssue",
            fields=[
                ("state", models.CharField(max_length=20)),
                ("seq", models.PositiveIntegerField(default=0)),
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("carrier", _many("issuance.carrier", "reserve_issues")),
                ("person", _many("issuance.person", "reserve_issues")),
                ("post", _many("issuance.post", "reserve_issues")),
                ("eid", _one("issuance.eid", "reserve_issue", null=True)),
                ("assurance_level", models.PositiveSmallIntegerField()),
                ("valid_to", models.DateTimeField()),
                ("officer_ref", models.CharField(max_length=200)),
                ("identity_document", models.CharField(default="", max_length=20)),
                ("first_statement", _one("issuance.statement", "+", null=True)),
                ("approver_ref", models.CharField(default="", max_length=200)),
                ("approver_document", models.CharField(default="", max_length=20)),
                ("second_statement", _one("issuance.statement", "+", null=True)),
                ("rejection", models.CharField(default="", max_length=300)),
                ("created_at", models.DateTimeField()),
                ("waiting_since", models.DateTimeField(null=True)),
                ("waiting_until", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", _OPEN)),
                        fields=["waiting_until", "id"],
                        name="issuance_reserve_issue_open",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["proposed", "waiting", "bound", "rejected", "expired", "cancelled"])
                        ),
                        name="issuance_reserve_issue_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("assurance_level", 2),
                            models.Q(("assurance_level", 3), ("identity_document__in", _DOCUMENTS)),
                            _connector="OR",
                        ),
                        name="issuance_reserve_issue_identified",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "bound"), _negated=True), ("eid__isnull", False), _connector="OR"
                        ),
                        name="issuance_reserve_issue_bound",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("assurance_level", 3), ("state", "bound"), _negated=True),
                            models.Q(
                                ("approver_document__in", _DOCUMENTS),
                                ("first_statement__isnull", False),
                                ("second_statement__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="issuance_reserve_issue_two_signed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("approver_ref", ""),
                            models.Q(("approver_ref", models.F("officer_ref")), _negated=True),
                            _connector="OR",
                        ),
                        name="issuance_reserve_issue_two_officers",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", _OPEN)), fields=("carrier",), name="issuance_one_open_reserve_issue"
                    ),
                ],
            },
        ),
        *kept("issuance_statement"),
        *kept("issuance_certificaterequest"),
        *kept("issuance_reservecardissue"),
    ]
