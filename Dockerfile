# Stages: `build` makes a virtual environment of the locked dependencies and the package; `run` carries only that.
# BASE may be any image with Python 3.11 or newer and its `venv`.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/build && python -m venv --without-pip /opt/smartrouting
WORKDIR /src
COPY constraints-build.txt constraints.txt ./
RUN /opt/build/bin/pip install --require-hashes --requirement constraints-build.txt \
    && /opt/build/bin/pip wheel --require-hashes --no-build-isolation --wheel-dir /wheels --requirement constraints.txt
COPY pyproject.toml README.md CHANGELOG.md ./
COPY app ./app
# Bytecode last, and valid whatever times the files get when the layer is unpacked: a read-only container cannot write it anew.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/build/bin/pip --python /opt/smartrouting/bin/python install --no-index --no-deps --no-compile /wheels/*.whl \
    && /opt/smartrouting/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/smartrouting/lib

FROM ${BASE} AS run
RUN groupadd --gid 10001 smartrouting \
    && useradd --uid 10001 --gid 10001 --no-log-init --home-dir /var/lib/smartrouting --create-home smartrouting \
    && install --directory --owner smartrouting --group smartrouting /var/lib/smartrouting/data
COPY --from=build /opt/smartrouting /opt/smartrouting
ENV PATH=/opt/smartrouting/bin:$PATH PYTHONUNBUFFERED=1 \
    SMARTROUTING_HOST=0.0.0.0 SMARTROUTING_PORT=8000 SMARTROUTING_DEMO_ANY_HOST=1
USER 10001:10001
WORKDIR /var/lib/smartrouting
VOLUME /var/lib/smartrouting/data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['SMARTROUTING_PORT']}/health/ready\", timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["smartrouting", "serve"]
# Last, because they change with every build.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Smart Routing for Enreach Voice" \
    org.opencontainers.image.version=${VERSION} \
    org.opencontainers.image.revision=${REVISION}
