import django.contrib.postgres.fields
import django.db.models.deletion
import siths_portal.lib.ids
from django.db import migrations, models

from siths_portal.lib.events import append_only


class Migration(migrations.Migration):

    dependencies = [
        ('pki', '0012_key_ceremonies'),
    ]

    operations = [
        migrations.CreateModel(
            name='IssuanceSet',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('certificate_ids', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField())),
                ('state', models.CharField(choices=[('open', 'Open'), ('whole', 'Whole'), ('broken', 'Broken')], default='open', max_length=8)),
                ('created_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='ModulusBlock',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('count', models.PositiveIntegerField()),
                ('product', models.BinaryField()),
                ('created_at', models.DateTimeField()),
                ('compared_to', models.BigIntegerField(default=0)),
                ('compared_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='ProfileLint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('linter', models.CharField(max_length=40)),
                ('at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='RsaKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('spki_sha256', models.CharField(max_length=64, unique=True)),
                ('created_at', models.DateTimeField()),
            ],
        ),
        migrations.AddIndex(
            model_name='issuanceset',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['id'], name='pki_set_open'),
        ),
        migrations.AddConstraint(
            model_name='issuanceset',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['open', 'whole', 'broken'])), name='pki_set_state'),
        ),
        migrations.AddConstraint(
            model_name='issuanceset',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', True), ('state', 'open')), models.Q(models.Q(('state', 'open'), _negated=True), ('closed_at__isnull', False)), _connector='OR'), name='pki_set_closed'),
        ),
        migrations.AddIndex(
            model_name='modulusblock',
            index=models.Index(condition=models.Q(('compared_at__isnull', True)), fields=['id'], name='pki_block_uncompared'),
        ),
        migrations.AddField(
            model_name='profilelint',
            name='ca',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='pki.certificateauthority'),
        ),
        migrations.AddField(
            model_name='profilelint',
            name='profile_version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lints', to='pki.profileversion'),
        ),
        migrations.AddField(
            model_name='rsakey',
            name='block',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='pki.modulusblock'),
        ),
        migrations.AddConstraint(
            model_name='profilelint',
            constraint=models.UniqueConstraint(fields=('profile_version', 'ca', 'linter'), name='pki_profile_lint'),
        ),
        migrations.AddIndex(
            model_name='rsakey',
            index=models.Index(condition=models.Q(('block__isnull', True)), fields=['id'], name='pki_rsakey_unfolded'),
        ),
        *append_only("pki_profilelint"),
    ]
