# Sourced by bench/run: memory.  PSS: resident bytes, shared pages divided among
# those who share them.  Each run starts its processes anew.

# held PROCESS COMMAND ...: a program that says "ready" and holds what it has
# opened until let_go.

held() {
    local process=$1
    shift

    mkdir -p "$state/$process"
    : > "$state/$process/output"
    mkfifo "$state/$process/hold"
    "$@" < "$state/$process/hold" > "$state/$process/output" 2>&1 &
    pid_of[$process]=$!
    exec {hold}> "$state/$process/hold"
    await "$process" 'was not ready' grep -q ready "$state/$process/output"
    sleep 0.5
}

let_go() {
    exec {hold}>&-
    wait "${pid_of[$1]}" || died "$1" failed
    unset "pid_of[$1]"
    rm -f "$state/$1/hold"
}

# each BEFORE AFTER COUNT: KiB for one

each() { calculate "($2 - $1) / $3"; }


tunnels_run() {
    local before

    start_nginx edge "$port_edge"
    before=$(memory_of edge Pss)
    held tunnels "$BUILD/bench/tunnels" "$port_edge" "any.$token_domain" \
        "$state/token" $tunnels
    emit "Idle tunnel, one of $tunnels: edge" KiB ours \
        "$(each "$before" "$(memory_of edge Pss)" $tunnels)"
    let_go tunnels
    stop edge
}


# streams_run VARIANT PORT HOP HOP: all of it is in place

streams_run() {
    local variant=$1 port=$2 first=$3 second=$4 before1 before2

    before1=$(memory_of "$first" Pss)
    before2=$(memory_of "$second" Pss)
    held streams "$BUILD/bench/tcpload" idle "$port" $streams
    emit "Idle stream, one of $streams: edge or first proxy" KiB "$variant" \
        "$(each "$before1" "$(memory_of "$first" Pss)" $streams)"
    emit "Idle stream, one of $streams: client or second proxy" KiB \
        "$variant" "$(each "$before2" "$(memory_of "$second" Pss)" $streams)"
    let_go streams
}

our_streams_run() {
    start_nginx edge "$port_edge"
    start_tcp_client
    sleep 0.3
    streams_run ours "$port_edge_tcp" edge tcp_client
    stop tcp_client
    stop edge
}

their_streams_run() {
    start_nginx hop2 "$port_hop2"
    start_nginx hop1 "$port_hop1"
    streams_run a "$port_hop1_tcp" hop1 hop2
    stop hop1
    stop hop2
}


clients_run() {
    local i

    start_nginx edge "$port_edge"

    for ((i = 1; i <= clients; i++)); do
        start_client "client$i" -s "$name$i" http "127.0.0.1:$port_origin"

        if [ $i = 1 ]; then
            sleep 0.5
            emit 'Client at rest: resident (RSS)' MB ours \
                "$(calculate "$(memory_of client1 Rss) * 1024 / 1e6")"
            emit 'Client at rest: of that its own (private, written to)' MB \
                ours "$(calculate \
                    "$(memory_of client1 Private_Dirty) * 1024 / 1e6")"
        fi
    done

    sleep 0.5

    for ((i = 1; i <= clients; i++)); do
        emit "Client at rest, one of $clients: its share (PSS)" MB ours \
            "$(calculate "$(memory_of "client$i" Pss) * 1024 / 1e6")"
    done

    for ((i = 1; i <= clients; i++)); do
        stop "client$i"
    done

    stop edge
}


# size_of TEXT FILE

size_of() {
    emit "$1: size" kB ours "$(calculate "$(stat -c %s "$2") / 1e3")"

    if command -v strip > /dev/null; then
        strip -o "$state/stripped" "$2"
        emit "$1: size, stripped" kB ours \
            "$(calculate "$(stat -c %s "$state/stripped") / 1e3")"
    fi
}


measure_memory() {
    local run

    [ -r /proc/self/smaps_rollup ] || die 'no /proc/PID/smaps_rollup here'

    start_origins

    for ((run = 1; run <= RUNS; run++)); do
        say "memory, run $run of $RUNS"
        ! wanted ours || { tunnels_run; our_streams_run; }
        ! wanted a || their_streams_run
    done

    if wanted ours; then
        clients_run
        size_of 'Client, inlets' "$BUILD/inlets"
        size_of 'Edge, HTTP module' \
            "$BUILD/modules/ngx_http_inlets_module.so"
        size_of 'Edge, stream module' \
            "$BUILD/modules/ngx_stream_inlets_module.so"
    fi
}
