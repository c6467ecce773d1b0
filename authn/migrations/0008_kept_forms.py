"""What people were filling in when their session ended (docs/adr/0070)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Creates the table."""

    dependencies = [("authn", "0007_last_log_ins")]

    operations = [
        migrations.CreateModel(
            name="KeptForm",
            fields=[
                ("subject_ref", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("path", models.CharField(max_length=2000)),
                ("form", models.TextField()),
                ("kept_at", models.DateTimeField(db_index=True)),
            ],
        ),
    ]
