# One image for every service: the command says which (`trueup monitor`, `trueup alerter`, ...). It holds neither the
# demo nor the embedded servers.

FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/trueup
COPY pyproject.toml README.md LICENSE requirements.lock ./
COPY schemas/trueup_schemas schemas/trueup_schemas
COPY services/trueup services/trueup
RUN /opt/trueup/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
    --constraint requirements.lock '.[server]'

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home --home-dir /var/lib/trueup --shell /usr/sbin/nologin trueup
COPY --from=build /opt/trueup /opt/trueup
ENV PATH=/opt/trueup/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER trueup
WORKDIR /var/lib/trueup
ENTRYPOINT ["trueup"]
CMD ["--help"]
