# One image for every face and worker; SITHS_FACE and the command choose what it is. Completed later, see docs/operations.md.
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
    && .venv/bin/python manage.py collectstatic --no-input

FROM debian:13-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 softhsm2 libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /srv/siths --shell /usr/sbin/nologin siths
WORKDIR /srv/siths
COPY --from=build /srv/siths /srv/siths
RUN install -d -o siths -g siths var var/status var/ocsp var/metrics var/tokens /run/api
USER siths
ENV PYTHONUNBUFFERED=1 PATH=/srv/siths/.venv/bin:/usr/bin:/bin
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--no-ws", "--host", "0.0.0.0", "--port", "8000", "siths_portal.wsgi:application"]
