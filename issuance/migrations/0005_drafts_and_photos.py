"""Drafts of card orders, photographs, and the photo of an order."""

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids


class Migration(migrations.Migration):
    dependencies = [("issuance", "0004_searches")]

    operations = [
        migrations.CreateModel(
            name="Photo",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("width", models.PositiveSmallIntegerField()),
                ("height", models.PositiveSmallIntegerField()),
                ("uploaded_at", models.DateTimeField()),
                ("uploaded_by_ref", models.CharField(max_length=200)),
                ("approved_at", models.DateTimeField(null=True)),
                (
                    "document",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="issuance.document"
                    ),
                ),
                ("pending", models.BinaryField(null=True)),
                (
                    "person",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="photos", to="issuance.person"),
                ),
            ],
        ),
        migrations.AddField(
            model_name="cardorder",
            name="photo",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="orders", to="issuance.photo"
            ),
        ),
        migrations.CreateModel(
            name="OrderDraft",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("owner_ref", models.CharField(max_length=200)),
                ("state", models.CharField(default="open", max_length=10)),
                ("version", models.PositiveIntegerField(default=1)),
                ("photo_approved", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "article",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="issuance.article"
                    ),
                ),
                (
                    "office",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="issuance.office"
                    ),
                ),
                (
                    "order",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="draft", to="issuance.cardorder"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="order_drafts", to="issuance.person"
                    ),
                ),
                (
                    "photo",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="drafts", to="issuance.photo"
                    ),
                ),
                (
                    "post",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="issuance.post"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="photo",
            index=models.Index(
                condition=models.Q(("approved_at__isnull", False)),
                fields=["person", "-uploaded_at", "-id"],
                name="issuance_photo_latest",
            ),
        ),
        migrations.AddConstraint(
            model_name="photo",
            constraint=models.CheckConstraint(
                condition=models.Q(("height__gte", 1), ("height__lte", 800), ("width__gte", 1), ("width__lte", 600)),
                name="issuance_photo_size",
            ),
        ),
        migrations.AddConstraint(
            model_name="photo",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("approved_at", None), ("document", None), ("pending__isnull", False)),
                    models.Q(("approved_at__isnull", False), ("document__isnull", False), ("pending", None)),
                    _connector="OR",
                ),
                name="issuance_photo_approved_is_document",
            ),
        ),
        migrations.AddIndex(
            model_name="orderdraft",
            index=models.Index(
                condition=models.Q(models.Q(("state", "submitted"), _negated=True), ("photo__isnull", False)),
                fields=["updated_at"],
                name="issuance_draft_stale",
            ),
        ),
        migrations.AddConstraint(
            model_name="orderdraft",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "submitted", "abandoned"])), name="issuance_draft_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="orderdraft",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("order__isnull", False), ("state", "submitted")),
                    models.Q(models.Q(("state", "submitted"), _negated=True), ("order", None)),
                    _connector="OR",
                ),
                name="issuance_draft_submitted_has_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="orderdraft",
            constraint=models.CheckConstraint(
                condition=models.Q(("photo_approved", False), ("photo__isnull", False), _connector="OR"),
                name="issuance_draft_approved_has_photo",
            ),
        ),
        migrations.AddConstraint(
            model_name="orderdraft",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("owner_ref", "person"),
                name="issuance_one_open_draft_per_owner_and_person",
            ),
        ),
    ]
