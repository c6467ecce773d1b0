"""When a worker last settled an item of a run."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0021_invoice_program_version"),
    ]

    operations = [
        migrations.AddField(model_name="runitem", name="tried_at", field=models.DateTimeField(null=True)),
    ]
