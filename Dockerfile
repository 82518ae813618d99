# The first stage fetches every requirement with its hash checked; the second installs, from those alone, what runs.
FROM python:3.11-slim AS wheels
WORKDIR /src
COPY requirements.txt ./
RUN pip wheel --quiet --disable-pip-version-check --require-hashes -r requirements.txt --wheel-dir /wheels
COPY . ./
RUN pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-index --find-links /wheels hatchling \
 && pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir /wheels .
RUN python -m venv /opt/segments \
 && /opt/segments/bin/pip install --quiet --disable-pip-version-check --no-index --find-links /wheels "live-segments[fit,discover]"

FROM python:3.11-slim
RUN useradd --system --no-create-home --shell /usr/sbin/nologin segments
COPY --from=wheels /opt/segments /opt/segments
ENV PATH="/opt/segments/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER segments
WORKDIR /tmp
ENTRYPOINT ["segments"]
CMD ["worker"]
