"""How long responses took, counted for the next health check to compare with."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pki", "0034_health_samples")]

    operations = [
        migrations.AddField(model_name="healthsample", name="responses", field=models.JSONField(db_default={}, default=dict)),
    ]
