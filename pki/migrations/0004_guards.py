"""What the database itself refuses: an end of a revocation, other bytes than were planned, and changes of what was published."""

from typing import Any

from django.conf import settings
from django.db import migrations

from siths_portal.lib.database.operations import RunStatements
from siths_portal.lib.events import append_only

# The column lists and conditions keep the function from being called for the updates that are allowed, bulk ones among them.
CERTIFICATE = """
CREATE FUNCTION pki_refuse_certificate_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'certificate %: %', OLD.id, TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER pki_certificate_revoked_is_final BEFORE UPDATE OF status, revoked_at ON pki_certificate
  FOR EACH ROW WHEN (
    OLD.status = 'revoked' AND (NEW.status IS DISTINCT FROM OLD.status OR NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
  ) EXECUTE FUNCTION pki_refuse_certificate_change('revoked is final');
CREATE TRIGGER pki_certificate_planned_is_signed
  BEFORE UPDATE OF id, ca_id, serial, tbs_der, tbs_sha256, spki_sha256 ON pki_certificate
  FOR EACH ROW WHEN (
    NEW.id <> OLD.id OR NEW.ca_id <> OLD.ca_id OR NEW.serial <> OLD.serial
    OR (OLD.tbs_der IS NOT NULL AND NEW.tbs_der IS DISTINCT FROM OLD.tbs_der)
    OR (OLD.tbs_sha256 <> '' AND NEW.tbs_sha256 <> OLD.tbs_sha256)
    OR (OLD.spki_sha256 <> '' AND NEW.spki_sha256 <> OLD.spki_sha256)
  ) EXECUTE FUNCTION pki_refuse_certificate_change('what was planned is what is signed');
"""
UNDO = """
DROP TRIGGER pki_certificate_revoked_is_final ON pki_certificate;
DROP TRIGGER pki_certificate_planned_is_signed ON pki_certificate;
DROP FUNCTION pki_refuse_certificate_change();
"""


def keep_certificates(_apps: Any, schema_editor: Any) -> None:
    """Takes the right to remove certificates from the application's role."""
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    schema_editor.execute(f"REVOKE DELETE, TRUNCATE ON pki_certificate FROM {role}")


def give_back(_apps: Any, schema_editor: Any) -> None:
    """Undoes `keep_certificates`."""
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    schema_editor.execute(f"GRANT DELETE ON pki_certificate TO {role}")


class Migration(migrations.Migration):
    """Needs the application's role to exist."""

    dependencies = [("pki", "0003_ocsp_response_signer")]
    operations = [
        migrations.RunSQL(CERTIFICATE, UNDO),
        RunStatements(keep_certificates, give_back),
        *append_only("pki_profileversion"),
        *append_only("pki_certificateblob"),
        *append_only("pki_crl"),
    ]
