"""Stock of reserve cards at offices: the cards, the level of the alarm, and the counts."""

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids
from siths_portal.lib.events import append_only, kept

_PROTECT = django.db.models.deletion.PROTECT


class Migration(migrations.Migration):
    dependencies = [("issuance", "0056_bundles")]

    operations = [
        migrations.CreateModel(
            name="StockCard",
            fields=[
                ("state", models.CharField(max_length=20)),
                ("seq", models.PositiveIntegerField(default=0)),
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("valid_to", models.DateTimeField()),
                ("received_at", models.DateTimeField(null=True)),
                ("carrier", models.OneToOneField(on_delete=_PROTECT, related_name="stock", to="issuance.carrier")),
                ("office", models.ForeignKey(on_delete=_PROTECT, related_name="stock_cards", to="issuance.office")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["office", "valid_to", "id"], name="issuance_stock_office"),
                    models.Index(fields=["office", "state", "valid_to"], name="issuance_stock_state_office"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["in_stock", "missing", "damaged", "lost", "ended"])),
                        name="issuance_stock_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("received_at__isnull", False), models.Q(("state", "in_stock"), _negated=True), _connector="OR"
                        ),
                        name="issuance_stock_received",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StockCount",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("counted_by_ref", models.CharField(max_length=200)),
                ("counted_at", models.DateTimeField()),
                ("expected", models.PositiveIntegerField()),
                ("found", models.PositiveIntegerField()),
                ("returned", models.PositiveIntegerField()),
                ("office", models.ForeignKey(on_delete=_PROTECT, related_name="stock_counts", to="issuance.office")),
            ],
            options={
                "indexes": [models.Index(fields=["office", "id"], name="issuance_stock_count_office")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("found__lte", models.F("expected"))), name="issuance_stock_count_found"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StockLevel",
            fields=[
                (
                    "office",
                    models.OneToOneField(
                        on_delete=_PROTECT,
                        primary_key=True,
                        related_name="stock_level",
                        serialize=False,
                        to="issuance.office",
                    ),
                ),
                ("least", models.PositiveIntegerField()),
            ],
        ),
        *kept("issuance_stockcard"),
        *kept("issuance_stocklevel"),
        *append_only("issuance_stockcount"),
    ]
