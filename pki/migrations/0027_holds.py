"""Certificates on hold: the flag, and what the database refuses of it. Rows that exist are not on hold."""

from django.db import migrations, models

GUARDS = """
CREATE TRIGGER pki_certificate_hold_is_planned BEFORE INSERT ON pki_certificate
  FOR EACH ROW WHEN (NEW.held AND NEW.status <> 'reserved')
  EXECUTE FUNCTION pki_refuse_certificate_hold('a hold is set when the certificate is planned');
CREATE TRIGGER pki_certificate_hold_is_not_set_later BEFORE UPDATE OF held ON pki_certificate
  FOR EACH ROW WHEN (NEW.held AND NOT OLD.held)
  EXECUTE FUNCTION pki_refuse_certificate_hold('a hold is set when the certificate is planned');
CREATE TRIGGER pki_certificate_hold_ends_in_a_version BEFORE UPDATE OF held ON pki_certificate
  FOR EACH ROW WHEN (OLD.held AND NOT NEW.held AND NEW.status = 'issued' AND NEW.status_version <= OLD.status_version)
  EXECUTE FUNCTION pki_refuse_certificate_hold('the release of a hold is a new status version');
CREATE TRIGGER pki_certificate_hold_ends_after_issuance BEFORE UPDATE OF held ON pki_certificate
  FOR EACH ROW WHEN (OLD.held AND NOT NEW.held AND NEW.status = 'reserved')
  EXECUTE FUNCTION pki_refuse_certificate_hold('a hold is released after issuance');
"""
FUNCTION = """
CREATE FUNCTION pki_refuse_certificate_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'certificate %: %', NEW.id, TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
END $$;
"""
UNDO = """
DROP TRIGGER pki_certificate_hold_is_planned ON pki_certificate;
DROP TRIGGER pki_certificate_hold_is_not_set_later ON pki_certificate;
DROP TRIGGER pki_certificate_hold_ends_in_a_version ON pki_certificate;
DROP TRIGGER pki_certificate_hold_ends_after_issuance ON pki_certificate;
DROP FUNCTION pki_refuse_certificate_hold();
"""


class Migration(migrations.Migration):
    """The index of what lacks an answer leaves those on hold out."""

    dependencies = [("pki", "0026_card_key_proofs")]

    operations = [
        migrations.AddField("certificate", "held", models.BooleanField(db_default=False, default=False)),
        migrations.AddConstraint(
            "certificate",
            models.CheckConstraint(
                condition=models.Q(("held", False), ("status__in", ["reserved", "issued"]), _connector="OR"),
                name="pki_certificate_held",
            ),
        ),
        migrations.RemoveIndex("certificate", "pki_cert_presign"),
        migrations.AddIndex(
            "certificate",
            models.Index(
                condition=models.Q(
                    ("held", False),
                    ("status__in", ["issued", "revoked"]),
                    models.Q(("presigned_version", models.F("status_version")), _negated=True),
                ),
                fields=["ca", "id"],
                name="pki_cert_presign",
            ),
        ),
        migrations.AddIndex(
            "certificate",
            models.Index(
                condition=models.Q(("held", True), ("status", "issued")), fields=["ca", "status_version"], name="pki_cert_held"
            ),
        ),
        migrations.RunSQL(FUNCTION + GUARDS, UNDO),
    ]
