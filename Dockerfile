# vmdrift as one static binary and nothing else: no shell, no package manager, no user but 65532. It writes nothing but to
# its database, so the file system may be read-only. Time zones and, as a fallback, certificate authorities are
# in the binary.
#
#   docker build -t vmdrift --build-arg VERSION="$(git describe --tags --always)" .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/vmdrift ./cmd/vmdrift

FROM scratch
COPY --from=build /out/vmdrift /vmdrift
USER 65532:65532
ENV VMDRIFT_CONFIG=/etc/vmdrift/vmdrift.yaml
EXPOSE 9120
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["/vmdrift", "health"]
ENTRYPOINT ["/vmdrift"]
CMD ["serve", "--listen", "0.0.0.0:9120", "--log-format", "json"]
