#!/bin/sh
# First start of the database container: the owner makes tables, the application only uses them (ADR 0002).
set -eu
owner_password=$(cat /run/secrets/database_owner_password)
app_password=$(cat /run/secrets/database_app_password)
psql -v ON_ERROR_STOP=1 -v owner="$owner_password" -v app="$app_password" -U "$POSTGRES_USER" -d postgres <<'SQL'
CREATE ROLE siths_owner LOGIN PASSWORD :'owner';
CREATE ROLE siths_app LOGIN PASSWORD :'app';
CREATE DATABASE siths OWNER siths_owner;
SQL
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d siths <<'SQL'
GRANT USAGE ON SCHEMA public TO siths_app;
GRANT CREATE ON SCHEMA public TO siths_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE siths_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO siths_app;
ALTER DEFAULT PRIVILEGES FOR ROLE siths_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO siths_app;
SQL
