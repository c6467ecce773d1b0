"""The names that a client may order certificates for. Existing clients keep their rights but order nothing until names are granted."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('pki', '0027_holds'),
    ]
    operations = [
        migrations.AddField(
            model_name='clientpermission',
            name='names',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=253), default=list),
        ),
    ]
