#!/bin/sh
# Fills the variables that NGINX_ENVSUBST_FILTER matches into the templates, and serves.
set -eu
names=$(env | sed -n 's/^\([A-Za-z0-9_]*\)=.*/\1/p' | grep "$NGINX_ENVSUBST_FILTER" | sed 's/.*/${&}/' | tr '\n' ' ')
for template in /etc/nginx/templates/*.template; do
    envsubst "$names" <"$template" >"/etc/nginx/conf.d/$(basename "$template" .template)"
done
exec nginx -g 'daemon off;'
