# One image for every service: the command says which. Build it with
#   podman build -t localhost/microsvc -f Dockerfile .
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
# By which what is left of a build can be told from what others left.
LABEL vestibule.stage=build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore UV_LINK_MODE=copy
WORKDIR /src
COPY requirements/uv.lock requirements/
RUN python -m venv /uv && /uv/bin/pip install --quiet --require-hashes -r requirements/uv.lock
# Wheels only: nothing is compiled here, and what is installed is what the lock files name, by hash.
COPY requirements requirements
RUN /uv/bin/uv venv --quiet --python "$(command -v python)" /opt/vestibule \
 && /uv/bin/uv pip install --quiet --python /opt/vestibule/bin/python --require-hashes --only-binary :all: \
      -r requirements/run.lock \
 && /opt/vestibule/bin/python -m compileall -q -j 0 /opt/vestibule/lib \
 && /uv/bin/uv venv --quiet --python "$(command -v python)" /wheel \
 && /uv/bin/uv pip install --quiet --python /wheel/bin/python --require-hashes --only-binary :all: \
      -r requirements/build.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN VIRTUAL_ENV=/wheel /wheel/bin/hatchling build --target wheel --directory /dist \
 && /uv/bin/uv pip install --quiet --python /opt/vestibule/bin/python --no-deps /dist/*.whl \
 && /opt/vestibule/bin/python -m compileall -q -j 0 /opt/vestibule/lib/python*/site-packages/vestibule

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Vestibule" \
      org.opencontainers.image.description="The entrance hall for data: what comes in is checked for personal data and secrets first" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 vestibule \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin vestibule \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/vestibule
COPY --from=build /opt/vestibule /opt/vestibule
ENV PATH=/opt/vestibule/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    VESTIBULE_DATA_DIR=/var/lib/vestibule VESTIBULE_HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/vestibule
VOLUME /var/lib/vestibule
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["vestibule-probe"]
ENTRYPOINT ["vestibule"]
CMD ["serve", "client"]
# Last, so that another one costs nothing: the layers before it are the same.
ARG VERSION=0.1.0
LABEL org.opencontainers.image.version="${VERSION}"
