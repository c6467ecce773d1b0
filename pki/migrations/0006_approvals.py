import django.db.models.deletion
import siths_portal.lib.ids
from typing import Any

from django.conf import settings
from django.db import migrations, models

from siths_portal.lib.database.operations import RunStatements
from siths_portal.lib.events import append_only

# What is approved is what was asked for.
REQUEST = """
CREATE FUNCTION pki_refuse_approval_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'approval request %: what was asked for is fixed', OLD.id USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER pki_approvalrequest_fixed
  BEFORE UPDATE OF id, action, document, document_sha256, required, requester_ref, created_at ON pki_approvalrequest
  FOR EACH ROW WHEN (
    NEW.id <> OLD.id OR NEW.action <> OLD.action OR NEW.document <> OLD.document OR NEW.document_sha256 <> OLD.document_sha256
    OR NEW.required <> OLD.required OR NEW.requester_ref <> OLD.requester_ref OR NEW.created_at <> OLD.created_at
  ) EXECUTE FUNCTION pki_refuse_approval_change();
"""
UNDO = """
DROP TRIGGER pki_approvalrequest_fixed ON pki_approvalrequest;
DROP FUNCTION pki_refuse_approval_change();
"""


def keep_requests(_apps: Any, schema_editor: Any) -> None:
    """Takes the right to remove requests from the application's role."""
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    schema_editor.execute(f"REVOKE DELETE, TRUNCATE ON pki_approvalrequest FROM {role}")


def give_back(_apps: Any, schema_editor: Any) -> None:
    """Undoes `keep_requests`."""
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    schema_editor.execute(f"GRANT DELETE ON pki_approvalrequest TO {role}")


class Migration(migrations.Migration):

    dependencies = [
        ('pki', '0005_secret_deliveries'),
    ]

    operations = [
        migrations.CreateModel(
            name='ApprovalRequest',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('action', models.CharField(choices=[('ceremony', 'Ceremony'), ('ca-state', 'Ca State'), ('mass-revocation', 'Mass Revocation')], max_length=20)),
                ('summary', models.CharField(max_length=200)),
                ('document', models.JSONField()),
                ('document_sha256', models.CharField(max_length=64)),
                ('required', models.PositiveSmallIntegerField()),
                ('requester_ref', models.CharField(max_length=200)),
                ('state', models.CharField(choices=[('open', 'Open'), ('approved', 'Approved'), ('used', 'Used'), ('rejected', 'Rejected'), ('withdrawn', 'Withdrawn'), ('expired', 'Expired')], default='open', max_length=10)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['state', '-created_at', '-id'], name='pki_approval_listing')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['open', 'approved', 'used', 'rejected', 'withdrawn', 'expired'])), name='pki_approval_state'), models.CheckConstraint(condition=models.Q(('required__gte', 1)), name='pki_approval_required')],
            },
        ),
        migrations.CreateModel(
            name='Approval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('approver_ref', models.CharField(max_length=200)),
                ('decision', models.CharField(choices=[('approved', 'Approved'), ('rejected', 'Rejected')], max_length=10)),
                ('document_sha256', models.CharField(max_length=64)),
                ('justification', models.CharField(blank=True, default='', max_length=1000)),
                ('signature', models.BinaryField(null=True)),
                ('certificate_der', models.BinaryField(null=True)),
                ('at', models.DateTimeField()),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='pki.approvalrequest')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('request', 'approver_ref'), name='pki_approval_once'), models.CheckConstraint(condition=models.Q(('decision__in', ['approved', 'rejected'])), name='pki_approval_decision')],
            },
        ),
        *append_only("pki_approval"),
        migrations.RunSQL(REQUEST, UNDO),
        RunStatements(keep_requests, give_back),
    ]
