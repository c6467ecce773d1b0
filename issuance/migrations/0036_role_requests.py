"""Requests for global roles, which a second administrator decides (ADR 0296)."""

import django.db.models.deletion
import siths_portal.lib.ids
from django.db import migrations, models

GUARDS = """
CREATE FUNCTION issuance_role_request_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'open' THEN
    RAISE EXCEPTION 'the request % is closed', OLD.id USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF (NEW.person_id, NEW.role, NEW.protected_persons, NEW.requester_ref, NEW.created_at, NEW.reason)
    IS DISTINCT FROM (OLD.person_id, OLD.role, OLD.protected_persons, OLD.requester_ref, OLD.created_at, OLD.reason)
    OR (NEW.first_day, NEW.last_day, NEW.expires_at) IS DISTINCT FROM (OLD.first_day, OLD.last_day, OLD.expires_at) THEN
    RAISE EXCEPTION 'what was requested does not change' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF NEW.decided_by_ref = 'user:' || NEW.person_id THEN
    RAISE EXCEPTION 'nobody decides a role of their own' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF NEW.state IN ('approved', 'rejected') AND NEW.decided_by_ref = '' THEN
    RAISE EXCEPTION 'a decision has a person' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER issuance_role_request_guard BEFORE UPDATE ON issuance_rolerequest
  FOR EACH ROW EXECUTE FUNCTION issuance_role_request_guard();
"""
GUARDS_REVERSE = "DROP TRIGGER issuance_role_request_guard ON issuance_rolerequest; DROP FUNCTION issuance_role_request_guard();"


class Migration(migrations.Migration):
    """Creates the table, and what the database itself refuses."""

    dependencies = [
        ('issuance', '0035_split_administration'),
    ]

    operations = [
        migrations.CreateModel(
            name='RoleRequest',
            fields=[
                ('id', models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ('role', models.CharField(max_length=30)),
                ('protected_persons', models.BooleanField(default=False)),
                ('first_day', models.DateField(null=True)),
                ('last_day', models.DateField(null=True)),
                ('reason', models.CharField(max_length=500)),
                ('requester_ref', models.CharField(max_length=200)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('open', 'Open'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('withdrawn', 'Withdrawn'), ('expired', 'Expired')], default='open', max_length=10)),
                ('closed_at', models.DateTimeField(null=True)),
                ('decided_by_ref', models.CharField(default='', max_length=200)),
                ('decision_reason', models.CharField(default='', max_length=500)),
                ('grant', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='request', to='issuance.rolegrant')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='role_requests', to='issuance.person')),
            ],
            options={
                'indexes': [models.Index(fields=['state', '-created_at', '-id'], name='issuance_role_request_listing')],
                'constraints': [models.CheckConstraint(condition=models.Q(('role__in', ['finance_admin', 'global_reader', 'global_revoker', 'master_data_admin', 'pki_operator'])), name='issuance_role_request_role'), models.CheckConstraint(condition=models.Q(('state__in', ['open', 'approved', 'rejected', 'withdrawn', 'expired'])), name='issuance_role_request_state'), models.CheckConstraint(condition=models.Q(('decided_by_ref', models.F('requester_ref')), _negated=True), name='issuance_role_request_second_person'), models.CheckConstraint(condition=models.Q(models.Q(('grant__isnull', False), ('state', 'approved')), models.Q(models.Q(('state', 'approved'), _negated=True), ('grant', None)), _connector='OR'), name='issuance_role_request_grant'), models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('person', 'role'), name='issuance_role_request_once')],
            },
        ),
        migrations.RunSQL(GUARDS, GUARDS_REVERSE),
    ]
