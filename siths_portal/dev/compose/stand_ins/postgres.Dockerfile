# Stands in for the image postgres:17 where no registry can be reached: the part of its start that docker-compose.yml uses.
FROM debian:13-slim
RUN groupadd --system --gid 999 postgres && useradd --system --uid 999 --gid postgres --home-dir /var/lib/postgresql postgres \
    && apt-get update && apt-get install -y --no-install-recommends postgresql-17 && rm -rf /var/lib/apt/lists/* \
    && install -d -m 0700 -o postgres -g postgres /var/lib/postgresql/data && install -d /docker-entrypoint-initdb.d \
    && install -d -m 3775 -o postgres -g postgres /var/run/postgresql
COPY postgres-start.sh /usr/local/bin/
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data POSTGRES_USER=postgres
STOPSIGNAL SIGINT
USER postgres
ENTRYPOINT ["postgres-start.sh"]
