import django.db.models.deletion
import siths_portal.lib.ids
from typing import Any

from django.conf import settings
from django.db import migrations, models

from siths_portal.lib.database.operations import RunStatements

# What was approved is what is followed, and a protocol is final.
GUARDS = """
CREATE FUNCTION pki_refuse_ceremony_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'ceremony %: %', OLD.id, TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER pki_keyceremony_fixed BEFORE UPDATE ON pki_keyceremony
  FOR EACH ROW WHEN (
    NEW.id <> OLD.id OR NEW.title <> OLD.title OR NEW.environment <> OLD.environment OR NEW.file_text <> OLD.file_text
    OR NEW.file_sha256 <> OLD.file_sha256 OR NEW.approval_id <> OLD.approval_id OR NEW.participants <> OLD.participants
    OR NEW.started_at <> OLD.started_at
  ) EXECUTE FUNCTION pki_refuse_ceremony_change('what was approved is fixed');
CREATE TRIGGER pki_keyceremony_final BEFORE UPDATE ON pki_keyceremony
  FOR EACH ROW WHEN (OLD.state = 'finished') EXECUTE FUNCTION pki_refuse_ceremony_change('it is finished');
"""
UNDO = """
DROP TRIGGER pki_keyceremony_fixed ON pki_keyceremony;
DROP TRIGGER pki_keyceremony_final ON pki_keyceremony;
DROP FUNCTION pki_refuse_ceremony_change();
"""


def keep_ceremonies(_apps: Any, schema_editor: Any) -> None:
    """Takes the right to remove ceremonies from the application's role."""
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    schema_editor.execute(f"REVOKE DELETE, TRUNCATE ON pki_keyceremony FROM {role}")


def give_back(_apps: Any, schema_editor: Any) -> None:
    """Undoes `keep_ceremonies`."""
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    schema_editor.execute(f"GRANT DELETE ON pki_keyceremony TO {role}")


class Migration(migrations.Migration):

    dependencies = [
        ('pki', '0011_certificate_fingerprints'),
    ]

    operations = [
        migrations.CreateModel(
            name='KeyCeremony',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('title', models.CharField(max_length=200)),
                ('environment', models.CharField(max_length=40)),
                ('file_text', models.TextField()),
                ('file_sha256', models.CharField(max_length=64, unique=True)),
                ('participants', models.JSONField()),
                ('state', models.CharField(choices=[('running', 'Running'), ('finished', 'Finished'), ('failed', 'Failed')], default='running', max_length=10)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('failure', models.CharField(blank=True, default='', max_length=200)),
                ('outputs', models.JSONField(default=list)),
                ('transcript', models.TextField(blank=True, default='')),
                ('transcript_sha256', models.CharField(blank=True, default='', max_length=64)),
                ('approval', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='ceremony', to='pki.approvalrequest')),
            ],
            options={
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('state__in', ['running', 'finished', 'failed'])), name='pki_ceremony_state'),
                    models.CheckConstraint(condition=models.Q(models.Q(models.Q(('transcript_sha256', ''), _negated=True), ('finished_at__isnull', False), ('state', 'finished')), models.Q(models.Q(('state', 'finished'), _negated=True), ('finished_at__isnull', True), ('transcript_sha256', '')), _connector='OR'), name='pki_ceremony_finished'),
                ],
            },
        ),
        migrations.RunSQL(GUARDS, UNDO),
        RunStatements(keep_ceremonies, give_back),
    ]
