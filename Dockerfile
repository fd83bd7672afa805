# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
WORKDIR /izin
# The dependencies are a layer of their own: it is built again only when the manifest, the lock
# file or a benchmark changes. Cargo wants the sources that the manifest names, so empty ones stand
# in for them.
COPY Cargo.toml Cargo.lock ./
COPY benches benches
RUN mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
 && cargo build --release --locked
COPY . .
# Cargo goes by the time of a file; the stand-ins are younger than what was just copied.
RUN touch src/main.rs src/lib.rs \
 && cargo build --release --locked \
 && mkdir /data

# glibc, its loader and CA certificates; no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="izin" \
      org.opencontainers.image.description="Keeps the proof that people agreed to WhatsApp messages" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /izin/target/release/izin /usr/local/bin/izin
# A new volume takes the owner of what is in the image at its place.
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
# Plain HTTP on every address of the container: whatever publishes the port ends TLS in front of it.
ENV IZIN_DATA_DIR=/data \
    IZIN_LISTEN=0.0.0.0:8080 \
    IZIN_HTTP__INSECURE_HTTP=true
VOLUME /data
EXPOSE 8080
# Asks /livez. A big ledger is read from end to end before the port opens, hence the start period.
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
  CMD ["/usr/local/bin/izin", "health"]
ENTRYPOINT ["/usr/local/bin/izin"]
CMD ["serve"]
