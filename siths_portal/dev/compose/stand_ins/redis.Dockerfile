# Stands in for the image redis:7 where no registry can be reached.
FROM debian:13-slim
RUN apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*
WORKDIR /tmp
USER redis
# As in the image, which has no protected mode: only the stack's own network reaches it.
ENTRYPOINT ["sh", "-c", "exec \"$@\" --protected-mode no --bind '* -::*'", "redis"]
