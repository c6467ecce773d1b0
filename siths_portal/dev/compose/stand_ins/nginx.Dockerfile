# Stands in for the image nginxinc/nginx-unprivileged:1.28 where no registry can be reached.
FROM debian:13-slim
RUN groupadd --system --gid 101 nginx && useradd --system --uid 101 --gid nginx --home-dir /nonexistent nginx \
    && apt-get update && apt-get install -y --no-install-recommends nginx-light gettext-base && rm -rf /var/lib/apt/lists/* \
    && install -d -o nginx -g nginx /etc/nginx/conf.d /etc/nginx/templates
COPY nginx.conf /etc/nginx/nginx.conf
COPY nginx-start.sh /usr/local/bin/
USER nginx
STOPSIGNAL SIGQUIT
ENTRYPOINT ["nginx-start.sh"]
