# The one binary in a small image. `docker run -p 8080:8080 -v atelier:/var/lib/atelier atelier` is the whole mesh;
# `docker run … atelier users` is one role of it.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /build
COPY . .
# The caches outlive the layer, so that a changed line does not compile the whole tree again; what is kept is copied out.
RUN --mount=type=cache,id=atelier-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=atelier-target,target=/build/target \
    cargo build --release --locked --package atelier \
    && install -D -m 0755 target/release/atelier /out/atelier

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="Atelier" \
      org.opencontainers.image.description="Chat, pictures and speech as a gRPC mesh in one binary" \
      org.opencontainers.image.licenses="Apache-2.0"
# Providers are reached over TLS, whose roots are the system's.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 atelier \
    && useradd --system --uid 10001 --gid atelier --home-dir /var/lib/atelier --no-create-home --shell /usr/sbin/nologin atelier \
    && install -d -o atelier -g atelier -m 0700 /var/lib/atelier
COPY --from=build /out/atelier /usr/local/bin/atelier
COPY LICENSE NOTICE /usr/share/doc/atelier/
# By number, so that a cluster that forbids root can see that this is not root.
USER 10001:10001
WORKDIR /var/lib/atelier
VOLUME ["/var/lib/atelier"]
# Everybody may reach a container's ports; what they are mapped to is the host's affair.
ENV ATELIER_HOST=0.0.0.0 \
    ATELIER_DATA=/var/lib/atelier
# The edge, the admin port, and one port for each role where they are split.
EXPOSE 8080 8090 3000 8000 8001 8002 8005
ENTRYPOINT ["/usr/local/bin/atelier"]
