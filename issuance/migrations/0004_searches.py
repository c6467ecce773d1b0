"""Searches, what extended ones open, and an index for each way to search."""

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models

import siths_portal.lib.ids


class Migration(migrations.Migration):
    dependencies = [("issuance", "0003_guards")]

    operations = [
        migrations.CreateModel(
            name="ExtendedReach",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("owner_ref", models.CharField(max_length=200)),
                ("reason", models.CharField(max_length=200)),
                ("until", models.DateTimeField()),
                (
                    "person",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="issuance.person"),
                ),
            ],
            options={"indexes": [models.Index(fields=["owner_ref", "until"], name="issuance_reach_owner")]},
        ),
        migrations.CreateModel(
            name="Search",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("owner_ref", models.CharField(max_length=200)),
                ("session_id", models.UUIDField()),
                ("kind", models.CharField(max_length=20)),
                ("value", models.CharField(max_length=40)),
                ("extended", models.BooleanField(default=False)),
                ("reason", models.CharField(default="", max_length=200)),
                ("hits", models.PositiveSmallIntegerField()),
                ("created_at", models.DateTimeField()),
                (
                    "person",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="issuance.person"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["owner_ref", "created_at"], name="issuance_search_budget"),
                    models.Index(fields=["created_at"], name="issuance_search_age"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(kind__in=("person_id", "hsa_id", "card_serial")), name="issuance_search_kind"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(extended=False, reason="") | (models.Q(extended=True) & ~models.Q(reason="")),
                        name="issuance_search_reason",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="personidentifier",
            index=models.Index(fields=["value"], name="issuance_identifier_value"),
        ),
        migrations.AddIndex(
            model_name="post",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Reverse(django.db.models.functions.text.Upper("hsa_id")),
                    name="text_pattern_ops",
                ),
                name="issuance_post_hsa_ending",
            ),
        ),
    ]
