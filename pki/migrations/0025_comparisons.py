"""What the old service's lists said beside a CA's rows, kept as it was found."""

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids
from siths_portal.lib.events import append_only


class Migration(migrations.Migration):
    """Comparisons of the shadow phase."""

    dependencies = [
        ('pki', '0024_room_for_claims'),
    ]

    operations = [
        migrations.CreateModel(
            name='CaComparison',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('actor_ref', models.CharField(max_length=200)),
                ('lists', models.JSONField()),
                ('differences', models.JSONField()),
                ('serials', models.JSONField()),
                ('later', models.PositiveIntegerField()),
                ('ca', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='comparisons', to='pki.certificateauthority')),
            ],
            options={
                'indexes': [models.Index(fields=['ca', 'id'], name='pki_comparison_ca')],
            },
        ),
        *append_only("pki_cacomparison"),
    ]
