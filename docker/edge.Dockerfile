# The edge: nginx with the two modules.  Build at the top of the tree:
#
#   docker build -f docker/edge.Dockerfile -t inlets-edge .

FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /src
COPY . .
RUN make deps && make modules && make client \
    && make install DESTDIR=/dest

FROM debian:12
RUN apt-get update \
    && apt-get install -y --no-install-recommends nginx libnginx-mod-stream \
           libcjson1 libcurl4 libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /dest/usr/lib/nginx/modules/ /usr/lib/nginx/modules/
COPY docker/edge.conf /etc/nginx/nginx.conf
EXPOSE 8080 20000-20019
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
