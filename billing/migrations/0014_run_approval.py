"""A run is released by one person and approved by another; its differences are stored."""

import django.db.models.deletion
import siths_portal.lib.ids
from django.db import migrations, models

from siths_portal.lib.events import append_only

GUARD = """
CREATE FUNCTION billing_run_approve_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.approved_by IS NOT NULL THEN
      RAISE EXCEPTION 'an approval of a run begins as a release' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' OR OLD.approved_by IS NOT NULL
     OR to_jsonb(NEW) - ARRAY['approved_by', 'approved_at'] <> to_jsonb(OLD) - ARRAY['approved_by', 'approved_at'] THEN
    RAISE EXCEPTION 'the release of a run can only be approved, once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_run_approve_only BEFORE INSERT OR UPDATE OR DELETE ON billing_runapproval
  FOR EACH ROW EXECUTE FUNCTION billing_run_approve_only();
CREATE TRIGGER billing_runapproval_no_truncate BEFORE TRUNCATE ON billing_runapproval
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

GUARD_REVERSE = """
DROP TRIGGER billing_runapproval_no_truncate ON billing_runapproval;
DROP TRIGGER billing_run_approve_only ON billing_runapproval;
DROP FUNCTION billing_run_approve_only();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0013_notices'),
    ]

    operations = [
        migrations.AlterField(
            model_name='invoicerun',
            name='state',
            field=models.CharField(choices=[('open', 'Öppnad'), ('review', 'Granskas'), ('released', 'Släppt'), ('approved', 'Godkänd'), ('issued', 'Utfärdad')], default='open', max_length=10),
        ),
        migrations.CreateModel(
            name='RunCheck',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('sha256', models.CharField(max_length=64)),
                ('made_at', models.DateTimeField()),
                ('differences', models.JSONField()),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='checks', to='billing.invoicerun')),
            ],
        ),
        migrations.CreateModel(
            name='RunApproval',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('sha256', models.CharField(max_length=64)),
                ('invoices', models.PositiveIntegerField()),
                ('net', models.DecimalField(decimal_places=2, max_digits=14)),
                ('blocked', models.PositiveIntegerField()),
                ('released_by', models.CharField(max_length=200)),
                ('released_at', models.DateTimeField()),
                ('approved_by', models.CharField(max_length=200, null=True)),
                ('approved_at', models.DateTimeField(null=True)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='billing.invoicerun')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'sha256'), name='billing_approval_once'), models.CheckConstraint(condition=models.Q(('invoices__gt', 0)), name='billing_approval_of_drafts'), models.CheckConstraint(condition=models.Q(models.Q(('approved_at', None), ('approved_by', None)), models.Q(('approved_at__isnull', False), ('approved_by__isnull', False), models.Q(('approved_by', models.F('released_by')), _negated=True)), _connector='OR'), name='billing_approval_by_two')],
            },
        ),
        migrations.RunSQL(GUARD, GUARD_REVERSE),
        *append_only("billing_runcheck"),
    ]
