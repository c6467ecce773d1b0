"""Tickets of the log-in with a card's certificate."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the table."""

    dependencies = [("authn", "0014_attempt_provider")]

    operations = [
        migrations.CreateModel(
            name="LogInTicket",
            fields=[
                ("ticket_hash", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("state_hash", models.CharField(max_length=64, unique=True)),
                ("face", models.CharField(max_length=20)),
                ("certificate_ref", models.CharField(max_length=80)),
                ("issued_at", models.DateTimeField(db_index=True)),
                ("used_at", models.DateTimeField(null=True)),
            ],
        ),
    ]
