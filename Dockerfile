# The worker alone: no Node, no local stack. Settings come from the environment; see docs/settings.md.
#   docker build --build-arg BASE_IMAGE=python:3.11-slim@sha256:... --tag jsworker .
# BASE_IMAGE may be any image with Python 3.11 or newer; give it a digest to build the same again.
# checkov:skip=CKV_DOCKER_7: the tag is that of BASE_IMAGE
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY deploy/locks/build.txt deploy/locks/run.txt ./
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r build.txt \
 && python -m venv /opt/jsworker && /opt/jsworker/bin/pip install --require-hashes -r run.txt
COPY pyproject.toml README.md LICENSE ./
COPY worker worker
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
 && /opt/jsworker/bin/pip install --no-deps --no-index wheels/jsworker-*.whl \
 && /opt/jsworker/bin/pip uninstall --yes pip setuptools

FROM ${BASE_IMAGE}
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin jsworker
COPY --from=build /opt/jsworker /opt/jsworker
ENV PATH=/opt/jsworker/bin:${PATH} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 JSWORKER_HEALTH_PORT=8080
USER 10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s --retries=3 CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['JSWORKER_HEALTH_PORT'] + '/health/live', timeout=5)"]
ENTRYPOINT ["jsworker"]
CMD ["run"]
