FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/forewarn
COPY requirements/runtime.txt requirements/
RUN /opt/forewarn/bin/pip install --require-hashes -r requirements/runtime.txt
COPY README.md LICENSE pyproject.toml alembic.ini ./
COPY alembic alembic
COPY app app
RUN /opt/forewarn/bin/pip install --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin forewarn \
    && install -d -o forewarn -g forewarn -m 0750 /var/lib/forewarn
COPY --from=build /opt/forewarn /opt/forewarn
ENV PATH=/opt/forewarn/bin:$PATH PYTHONUNBUFFERED=1
USER forewarn
# The SQLite file and its key lie here unless FOREWARN_DATABASE_URL names a PostgreSQL.
WORKDIR /var/lib/forewarn
VOLUME /var/lib/forewarn
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
CMD ["forewarn", "serve", "--host", "0.0.0.0"]
