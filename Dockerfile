# syntax=docker/dockerfile:1
# The one binary in a small image. `docker run -p 8080:8080 -v atelier:/var/lib/atelier atelier` is the whole mesh;
# `docker run … atelier users` is one role of it.

FROM rust:1.95.0-slim-bookworm AS chef
ARG CARGO_CHEF_VERSION=0.1.78
RUN cargo install cargo-chef --version "${CARGO_CHEF_VERSION}" --locked
WORKDIR /build

# What the dependencies are, without a line of our own: as long as that is the same, so is the layer that they are compiled in.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
COPY --from=plan /build/recipe.json recipe.json
RUN cargo chef cook --release --locked --package atelier --recipe-path recipe.json
COPY . .
# The image below has no shell: what is to be made there is made here.
RUN cargo build --release --locked --package atelier \
    && install -D -m 0755 target/release/atelier /out/atelier \
    && install -d -m 0700 /out/var/lib/atelier

# glibc and libgcc of the distribution that it was built on, the roots of the web's authorities, and nothing else.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Atelier" \
      org.opencontainers.image.description="Chat, pictures and speech as a gRPC mesh in one binary" \
      org.opencontainers.image.source="https://github.com/atelier-mesh/atelier" \
      org.opencontainers.image.documentation="https://github.com/atelier-mesh/atelier/blob/main/docs/running.md" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/atelier /atelier
COPY --from=build --chown=10001:10001 /out/var/lib/ /var/lib/
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
# There is no HEALTHCHECK: it would be a command in the image, which has none. Who runs it asks from outside, `/livez` and
# `/readyz` on 8090 or gRPC health on a role's own port.
ENTRYPOINT ["/atelier"]
