"""Reminders of overdue invoices. A reminder keeps its invoice, recipient and requester."""

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids

GUARD = """
CREATE FUNCTION billing_reminder_keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE sending text[] := ARRAY['state', 'attempts', 'next_at', 'settled_at', 'reason'];
BEGIN
  IF TG_OP = 'DELETE' OR OLD.settled_at IS NOT NULL OR to_jsonb(NEW) - sending <> to_jsonb(OLD) - sending THEN
    RAISE EXCEPTION 'a reminder is kept, and sent once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_reminder_keep BEFORE UPDATE OR DELETE ON billing_reminder
  FOR EACH ROW EXECUTE FUNCTION billing_reminder_keep();
CREATE TRIGGER billing_reminder_no_truncate BEFORE TRUNCATE ON billing_reminder
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
REVERSE = """
DROP TRIGGER billing_reminder_no_truncate ON billing_reminder;
DROP TRIGGER billing_reminder_keep ON billing_reminder;
DROP FUNCTION billing_reminder_keep();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0018_disputes'),
    ]

    operations = [
        migrations.CreateModel(
            name='Reminder',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('recipient', models.EmailField(max_length=254)),
                ('requested_by', models.CharField(max_length=200)),
                ('requested_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('waiting', 'Väntar på att skickas'), ('sent', 'Skickad'), ('refused', 'Avvisad av e-postservern'), ('not-needed', 'Behövdes inte längre')], default='waiting', max_length=10)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('next_at', models.DateTimeField(null=True)),
                ('settled_at', models.DateTimeField(null=True)),
                ('reason', models.CharField(blank=True, default='', max_length=500)),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reminders', to='billing.invoice')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('next_at__isnull', False)), fields=['next_at'], name='billing_reminder_due')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'waiting')), fields=('invoice',), name='billing_reminder_one_waits'), models.CheckConstraint(condition=models.Q(models.Q(('next_at__isnull', False), ('settled_at', None), ('state', 'waiting')), models.Q(models.Q(('state', 'waiting'), _negated=True), ('next_at', None), ('settled_at__isnull', False)), _connector='OR'), name='billing_reminder_settled')],
            },
        ),
        migrations.RunSQL(GUARD, REVERSE),
    ]
