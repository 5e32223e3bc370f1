# Sourced by bench/run: programs, configurations, processes, figures.

requests=5000       # of a latency run
connections=64      # of wrk
tunnels=1000
streams=1000
clients=20

token_domain=bench.localhost
name=load

declare -A pid_of


say() { printf 'bench: %s\n' "$*" >&2; }
die() { printf 'bench: %s\n' "$*" >&2; exit 1; }


prepare() {
    local tool

    for tool in wrk cc "$NGINX"; do
        command -v "$tool" > /dev/null \
            || die "there is no $tool: \"make bench\" installs what is missing"
    done

    if [[ " $VARIANTS " == *" ours "* ]]; then
        for tool in inlets modules/ngx_http_inlets_module.so \
                    modules/ngx_stream_inlets_module.so
        do
            [ -e "$BUILD/$tool" ] || die "no $BUILD/$tool: run \"make\""
        done
    fi

    # 1000 tunnels are 2000 sockets in one process
    ulimit -n "$(ulimit -Hn)"
    [ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge 8192 ] \
        || die "too few open files are allowed: ulimit -n 8192"

    build_programs

    state=$(mktemp -d "${TMPDIR:-/tmp}/inlets-bench.XXXXXX")
    chmod 755 "$state"      # workers of a master run by root are not root
    results=$state/results
    : > "$results" > "$state/notes"

    pin_load=
    pin_proxy=

    if [ "$PIN" = 1 ]; then
        pin_load='taskset -c 0'
        pin_proxy='taskset -c 1'
    fi

    choose_ports
    write_configs
}


build_programs() {
    local program sources

    mkdir -p "$BUILD/bench"

    for program in tcpload latency tunnels; do
        sources="bench/$program.c bench/net.c"
        libs=

        if [ $program = tunnels ]; then
            sources="$sources shared/inlets_sign.c shared/inlets_ws.c"
            libs=-lcrypto
        fi

        ${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wshadow -Ishared \
            -o "$BUILD/bench/$program" $sources $libs \
            || die "cannot build $program"
    done
}


taken() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }


# Outside the range that outgoing connections are given.

choose_ports() {
    local port=18500 what

    for what in origin tcp_origin edge edge_tcp hop1 hop1_tcp hop2 hop2_tcp
    do
        while taken $port; do
            port=$((port + 1))
            [ $port -lt 19500 ] || die 'no free ports'
        done

        declare -g "port_$what=$port"
        port=$((port + 1))
    done
}


# One worker each, no logs, and connections that are kept for ever.

config_top() {
    local version modules

    version=$("$NGINX" -V 2>&1)
    modules=$(sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p' <<< "$version")

    if [[ $version == *--with-stream=dynamic* ]]; then
        echo "load_module $modules/ngx_stream_module.so;"
    fi

    if [ "$1" = edge ]; then
        echo "load_module $BUILD/modules/ngx_http_inlets_module.so;"
        echo "load_module $BUILD/modules/ngx_stream_inlets_module.so;"
    fi

    cat <<END
daemon            off;
worker_processes  1;
pid               $state/$1/nginx.pid;
lock_file         $state/$1/nginx.lock;
error_log         $state/$1/error.log warn;
events { worker_connections 8192; }
END
}

config_http() {
    cat <<END
    access_log             off;
    keepalive_requests     1000000000;
    keepalive_timeout      1h;
    client_body_temp_path  $state/$1/body;
    proxy_temp_path        $state/$1/proxy;
    fastcgi_temp_path      $state/$1/fastcgi;
    uwsgi_temp_path        $state/$1/uwsgi;
    scgi_temp_path         $state/$1/scgi;
END
}

config_proxy() {
    cat <<END
http {
$(config_http "$1")
    upstream next {
        server              127.0.0.1:$4;
        keepalive           $((connections * 2));
        keepalive_requests  1000000000;
    }

    server {
        listen  127.0.0.1:$2 backlog=4096;

        location / {
            proxy_pass          http://next;
            proxy_http_version  1.1;
            proxy_set_header    Connection "";
        }
    }
}

stream {
    server {
        listen            127.0.0.1:$3 backlog=4096;
        proxy_pass        127.0.0.1:$5;
        proxy_half_close  on;
    }
}
END
}

config_edge() {
    cat <<END
http {
$(config_http edge)
    inlets_zone               edge 16m;
    inlets_domain             $token_domain;
    inlets_token_file         $state/token;
    inlets_max_streams        4096;
    inlets_heartbeat_timeout  10m;

    server {
        listen  127.0.0.1:$port_edge backlog=4096;

        location /_/ { inlets_connect edge; }
        location /   { inlets_tunnel  edge; }
    }
}

stream {
    server {
        listen         127.0.0.1:$port_edge_tcp backlog=4096;
        inlets_tunnel  edge;
    }
}
END
}

config_origin() {
    cat <<END
http {
$(config_http origin)
    sendfile         on;
    open_file_cache  max=10 inactive=1h;

    server {
        listen  127.0.0.1:$port_origin backlog=4096;
        root    $state/www;

        location = /1 { return 200 "x"; }
    }
}
END
}

write_configs() {
    local nginx

    mkdir -p "$state/www"
    head -c 16384 /dev/zero | tr '\0' x > "$state/www/16k"
    (umask 077; od -An -tx1 -N16 /dev/urandom | tr -d ' \n' > "$state/token")

    for nginx in origin edge hop1 hop2; do
        mkdir -p "$state/$nginx"
    done

    { config_top origin; config_origin; } > "$state/origin/nginx.conf"
    { config_top edge; config_edge; } > "$state/edge/nginx.conf"
    { config_top hop1
      config_proxy hop1 "$port_hop1" "$port_hop1_tcp" "$port_hop2" \
                   "$port_hop2_tcp"; } > "$state/hop1/nginx.conf"
    { config_top hop2
      config_proxy hop2 "$port_hop2" "$port_hop2_tcp" "$port_origin" \
                   "$port_tcp_origin"; } > "$state/hop2/nginx.conf"
}


# Processes have names, and end by their pid.

start() {
    local process=$1
    shift

    mkdir -p "$state/$process"
    : > "$state/$process/output"
    "$@" < /dev/null > "$state/$process/output" 2>&1 &
    pid_of[$process]=$!
}

# A crash would spoil the figures, and whatever else is wrong.

check_log() {
    local log=$state/$1/error.log

    [ -e "$log" ] || return 0

    if grep -q '\[\(alert\|emerg\|crit\)\]' "$log"; then
        note "**Not clean**: $1 logged $(grep -m 1 -o \
            '\[\(alert\|emerg\|crit\)\].*' "$log")"
    fi
}

stop() {
    local pid=${pid_of[$1]:-} i
    [ -n "$pid" ] || return 0
    unset "pid_of[$1]"

    kill -TERM "$pid" 2> /dev/null || true

    for ((i = 0; i < 100; i++)); do
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.05
    done

    # children first: a killed master would leave them behind
    if kill -0 "$pid" 2> /dev/null; then
        kill -KILL $(children "$pid") "$pid" 2> /dev/null || true
    fi

    wait "$pid" 2> /dev/null || true
    check_log "$1"
}

stop_all() {
    local process

    for process in "${!pid_of[@]}"; do
        stop "$process"
    done
}

finish() {
    local rc=$?

    trap '' INT TERM
    stop_all
    [ -z "${KEEP:-}" ] || { say "kept $state"; exit $rc; }
    rm -rf "$state"
    exit $rc
}

died() {
    tail -n 5 "$state/$1/error.log" "$state/$1/output" \
        >&2 2> /dev/null || true
    die "$1 $2"
}

# await PROCESS TEXT COMMAND ...: up to 15 seconds.

await() {
    local process=$1 text=$2 i
    shift 2

    for ((i = 0; i < 300; i++)); do
        if "$@"; then
            return 0
        fi

        kill -0 "${pid_of[$process]}" 2> /dev/null \
            || died "$process" 'ended'
        sleep 0.05
    done

    died "$process" "$text"
}

start_nginx() {
    local pin=$pin_proxy
    [ "$1" != origin ] || pin=$pin_load

    start "$1" $pin "$NGINX" -p "$state/$1/" -e "$state/$1/error.log" \
        -c "$state/$1/nginx.conf"
    await "$1" 'does not listen' taken "$2"
}

start_origins() {
    start_nginx origin "$port_origin"
    start tcp_origin $pin_load "$BUILD/bench/tcpload" serve "$port_tcp_origin"
    await tcp_origin 'does not listen' taken "$port_tcp_origin"
}

# start_client PROCESS FLAGS ...

start_client() {
    local process=$1
    shift

    start "$process" $pin_proxy "$BUILD/inlets" client \
        -r "127.0.0.1:$port_edge" --token-file "$state/token" \
        --max-streams 4096 "$@"
    await "$process" 'did not connect' \
        grep -q '^Forwarding' "$state/$process/output"
}

start_http_client() {
    start_client http_client -s $name http "127.0.0.1:$port_origin"
}

start_tcp_client() {
    start_client tcp_client -p "$port_edge_tcp" \
        tcp "127.0.0.1:$port_tcp_origin"
}

start_variants() {
    local variant

    for variant in $VARIANTS; do
        case $variant in
            ours) start_nginx edge "$port_edge" ;;
            a)    start_nginx hop1 "$port_hop1" ;;
        esac
    done

    [[ " $VARIANTS " != *" a "* && " $VARIANTS " != *" b "* ]] \
        || start_nginx hop2 "$port_hop2"
}

# With the spaces a pattern needs.

wanted() { [[ " $VARIANTS " == *" $1 "* ]]; }


# Children of a process: of an nginx master, its workers.

children() {
    cat /proc/[0-9]*/stat 2> /dev/null | awk -v parent="$1" '{
        pid = $1
        sub(/.*\) /, "")
        if ($2 == parent) print pid
    }'
}

# Seconds of user and system time of a named process and its children.

cpu_of() {
    local pid=${pid_of[$1]}

    for pid in $pid $(children "$pid"); do
        cat "/proc/$pid/stat"
    done | awk -v hz="$(getconf CLK_TCK)" '
        { sub(/.*\) /, ""); ticks += $12 + $13 } END { print ticks / hz }'
}

# Kilobytes of it: memory_of NAME Pss|Rss|Private_Dirty ...

memory_of() {
    local pid=${pid_of[$1]}

    for pid in $pid $(children "$pid"); do
        cat "/proc/$pid/smaps_rollup"
    done | awk -v what="$2:" '$1 == what { n += $2 } END { print n }'
}


# emit FIGURE UNIT VARIANT VALUE: one run's value.

emit() { printf '%s|%s|%s|%s\n' "$@" >> "$results"; }
note() { printf '%s\n' "$*" >> "$state/notes"; }

calculate() { awk "BEGIN { print $1 }"; }

report() {
    printf '\n'
    machine
    printf '\n'
    awk -f "$bench/report.awk" "$results"
    sort -u "$state/notes" | sed 's/^/\n/'
}

machine() {
    local model

    model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
    printf '%s, %s processors%s, Linux %s, %s, %s, %s\n' \
        "${model:-unknown processor}" "$(getconf _NPROCESSORS_ONLN)" \
        "$([ "$PIN" = 0 ] || echo ' (proxies pinned to one)')" "$(uname -r)" \
        "$("$NGINX" -v 2>&1 | sed 's/.*: //')" \
        "$("$BUILD/inlets" --version 2> /dev/null | head -n 1 || true)" \
        "$RUNS runs, median (lowest to highest)"
}
