# The worker alone: no Node, no local stack, no pip, no tests. docs/image.md says how to build, run and check it.
#   docker build --build-arg BASE_IMAGE=python:3.11-slim@sha256:... --tag jsworker .
# BASE_IMAGE may be any Debian with Python 3.11 or newer; give it a digest to build the same again.
# It needs no BuildKit, for what builds images in an Azure registry has none: hence no `RUN --mount`. Behind a mirror
# or a proxy of its own build it by deploy/image/build.sh, which puts secrets into the first RUN, the one that downloads.
# checkov:skip=CKV_DOCKER_7: the tag is that of BASE_IMAGE
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY deploy/locks/build.txt deploy/locks/run.txt ./
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r build.txt \
 && python -m venv --without-pip /opt/jsworker \
 && /opt/build/bin/pip --python /opt/jsworker/bin/python install --require-hashes -r run.txt
COPY pyproject.toml README.md LICENSE ./
COPY worker worker
# Bytecode that is never compared with its source: it holds whatever a registry or a tool does to the files' times.
RUN rm -r worker/local \
 && /opt/build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir wheels . \
 && /opt/build/bin/pip --python /opt/jsworker/bin/python install --no-deps --no-index wheels/jsworker-*.whl \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/jsworker/lib

FROM ${BASE_IMAGE}
ARG BASE_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="jsworker" \
      org.opencontainers.image.description="Runs JavaScript programs in batches, each in a sandboxed session of its own" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
# Nothing is installed in a running worker: what the base could do it with goes.
RUN useradd --no-log-init --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin jsworker \
 && rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/* /usr/share/python-wheels \
           /usr/local/lib/python3*/ensurepip /usr/lib/python3*/ensurepip
COPY --from=build /opt/jsworker /opt/jsworker
ENV PATH=/opt/jsworker/bin:${PATH} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 JSWORKER_HEALTH_PORT=8080
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s --retries=3 CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['JSWORKER_HEALTH_PORT'] + '/health/live', timeout=5)"]
ENTRYPOINT ["jsworker"]
CMD ["run"]
