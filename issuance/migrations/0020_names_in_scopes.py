"""Searches by name in each organisation of a scope."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issuance", "0019_article_generation")]

    operations = [
        migrations.AddIndex(
            "personscope",
            models.Index(
                models.F("organisation"),
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("sort_name"), name="text_pattern_ops"
                ),
                name="issuance_person_scope_name",
            ),
        ),
    ]
