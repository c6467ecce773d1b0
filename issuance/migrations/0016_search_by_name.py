"""Searches by name: their kind, and the index of names' beginnings."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issuance", "0015_lists_of_holders")]

    operations = [
        migrations.RemoveConstraint("search", "issuance_search_kind"),
        migrations.AddConstraint(
            "search",
            models.CheckConstraint(
                condition=models.Q(kind__in=("person_id", "hsa_id", "card_serial", "name")), name="issuance_search_kind"
            ),
        ),
        migrations.AddIndex(
            "person",
            models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("sort_name"), name="text_pattern_ops"
                ),
                name="issuance_person_name",
            ),
        ),
    ]
