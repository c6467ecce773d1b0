# One image for every process: SITHS_FACE and the command choose which (docs/operations.md, Containers).
FROM debian:13-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv nodejs npm \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/siths
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml uv.lock ./
RUN UV_PYTHON=/usr/bin/python3 UV_PYTHON_DOWNLOADS=never /opt/uv/bin/uv sync --locked --no-dev --no-cache
COPY . .
RUN python3 -c 'from pathlib import Path; from siths_portal.dev.toolchain import install_stylesheets as i; i(Path.cwd())' \
    && .venv/bin/python manage.py collectstatic --no-input \
    && rm -rf node_modules

FROM debian:13-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client python3 tzdata softhsm2 opensc libpango-1.0-0 libpangoft2-1.0-0 \
        libharfbuzz-subset0 fontconfig fonts-dejavu-core poppler-utils \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /srv/siths --shell /usr/sbin/nologin siths
WORKDIR /srv/siths
COPY --from=build /srv/siths /srv/siths
RUN install -d -o siths -g siths var/audit var/backup var/ceremony var/demo var/hsm var/journal/billing \
        var/journal/pki var/metrics var/ocsp var/push var/sandbox \
        var/simulators var/status var/tls \
        /run/api /run/login /run/minasidor /run/portal /run/status
# podman gives an empty volume to the user of each container that starts with it.
RUN touch /run/api/.keep /run/login/.keep /run/minasidor/.keep /run/portal/.keep /run/status/.keep
USER siths
ENV PYTHONUNBUFFERED=1 PATH=/srv/siths/.venv/bin:/usr/bin:/bin
CMD ["python3", "manage.py", "help"]
