# Stages: `build` installs the locked dependencies and the package into a virtual environment; `run` carries only that.
# BASE may be any image with Python 3.11 or newer and the same libc in both stages.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/smartrouting
WORKDIR /src
COPY constraints.txt ./
RUN /opt/smartrouting/bin/pip install --require-hashes --requirement constraints.txt
COPY pyproject.toml README.md ./
COPY app ./app
RUN /opt/smartrouting/bin/pip install --no-deps --no-build-isolation .

FROM ${BASE} AS run
RUN useradd --system --uid 10001 --home-dir /var/lib/smartrouting --create-home smartrouting \
    && install --directory --owner smartrouting --group smartrouting /var/lib/smartrouting/data
COPY --from=build /opt/smartrouting /opt/smartrouting
ENV PATH=/opt/smartrouting/bin:$PATH PYTHONUNBUFFERED=1 \
    SMARTROUTING_HOST=0.0.0.0 SMARTROUTING_PORT=8000
USER 10001
WORKDIR /var/lib/smartrouting
VOLUME /var/lib/smartrouting/data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['SMARTROUTING_PORT']}/health/ready\", timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["smartrouting", "serve"]
