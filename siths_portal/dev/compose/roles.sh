#!/bin/sh
# First start of the database container: the owner makes tables, and each process has a role of its own (ADR 0001, 0311).
# What each role may do in the tables, `migrate` grants.
set -eu
password() { cat "/run/secrets/database_$1_password"; }
psql -v ON_ERROR_STOP=1 -v owner="$(password owner)" -v app="$(password app)" -v api="$(password api)" -v pki="$(password pki)" \
  -v worker="$(password worker)" \
  -v backup="$(password backup)" -U "$POSTGRES_USER" -d postgres <<'SQL'
CREATE ROLE siths_owner LOGIN PASSWORD :'owner';
CREATE ROLE siths_app LOGIN PASSWORD :'app';
CREATE ROLE siths_api LOGIN PASSWORD :'api';
CREATE ROLE siths_pki LOGIN PASSWORD :'pki';
CREATE ROLE siths_worker LOGIN PASSWORD :'worker';
CREATE ROLE siths_backup LOGIN REPLICATION PASSWORD :'backup';
CREATE DATABASE siths OWNER siths_owner;
SQL
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d siths <<'SQL'
GRANT USAGE ON SCHEMA public TO siths_app, siths_api, siths_pki, siths_worker;
GRANT CREATE ON SCHEMA public TO siths_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE siths_owner IN SCHEMA public
  GRANT SELECT ON TABLES TO siths_app, siths_api, siths_pki, siths_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE siths_owner IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO siths_app, siths_api, siths_pki, siths_worker;
SQL
# For `ops_backup` in the container `commands`.
echo 'host replication siths_backup all scram-sha-256' >>"$PGDATA/pg_hba.conf"
