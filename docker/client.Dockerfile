# The client.  Build at the top of the tree:
#
#   docker build -f docker/client.Dockerfile -t inlets-client .

FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /src
COPY . .
RUN make deps && make client

FROM debian:12
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libcjson1 \
           libcurl4 libwebsockets17 libwebsockets-evlib-uv libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/inlets /usr/local/bin/inlets
USER nobody
ENTRYPOINT ["inlets"]
