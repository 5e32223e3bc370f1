# Sourced by bench/run: HTTP, TCP and latency.  The variants take turns in each
# run, so that what the machine does meanwhile meets them all.

host=$name.$token_domain


# in_turn RUN: the variants, each run beginning with another one.

in_turn() {
    local list=($VARIANTS) i

    for i in "${!list[@]}"; do
        echo "${list[(i + $1) % ${#list[@]}]}"
    done
}


# The processes whose time counts: the first hop's, the second's.

hops_of() {
    case $1 in
        ours) echo "edge $2" ;;
        a)    echo 'hop1 hop2' ;;
        b)    echo 'hop2' ;;
    esac
}

# with_cpu VARIANT CLIENT COMMAND ...: the command's output in $output, the time
# of each hop in cpu[].

with_cpu() {
    local hop i hops

    read -r -a hops <<< "$(hops_of "$1" "$2")"
    shift 2
    cpu=()

    for hop in "${hops[@]}"; do
        cpu+=("$(cpu_of "$hop")")
    done

    output=$("$@" 2>&1) || die "failed: $*: $output"

    for i in "${!hops[@]}"; do
        cpu[i]=$(calculate "$(cpu_of "${hops[i]}") - ${cpu[i]}")
    done
}

# emit_cpu TEXT VARIANT COUNT UNIT-TEXT: seconds, and for one unit of work.

emit_cpu() {
    local total

    total=$(calculate "${cpu[0]} + ${cpu[1]:-0}")
    emit "$1: CPU, edge or first proxy" s "$2" "${cpu[0]}"
    [ -z "${cpu[1]:-}" ] \
        || emit "$1: CPU, client or second proxy" s "$2" "${cpu[1]}"
    emit "$1: CPU, both, $4" "$5" "$2" "$(calculate "$total / $3")"
}


http_port() {
    case $1 in
        ours)   echo "$port_edge" ;;
        a)      echo "$port_hop1" ;;
        b)      echo "$port_hop2" ;;
        origin) echo "$port_origin" ;;
    esac
}

# 1.23us, 4.56ms, 7.89s: in milliseconds

milliseconds() {
    awk -v name="$1" '$1 == name {
        n = $2 + 0
        if ($2 ~ /us$/) n /= 1000; else if ($2 !~ /ms$/) n *= 1000
        print n
    }' <<< "$output"
}

wrk_run() {
    local seconds=$1 variant=$2 path=$3

    with_cpu "$variant" http_client $pin_load wrk -t 1 -c $connections \
        -d "$seconds" --timeout 10s --latency -H "Host: $host" \
        "http://127.0.0.1:$(http_port "$variant")$path"
}

http_run() {
    local variant=$1 path=$2 text=$3 rate

    wrk_run "${SECONDS_EACH}s" "$variant" "$path"

    if grep -q 'Socket errors\|Non-2xx' <<< "$output"; then
        note "Errors: $text, $variant: $(grep 'Socket errors\|Non-2xx' \
            <<< "$output" | tr -s ' \n' ' ')"
    fi

    rate=$(awk '$1 == "Requests/sec:" { print $2 }' <<< "$output")
    emit "$text: requests/s" /s "$variant" "$rate"
    emit "$text: latency, p50" ms "$variant" "$(milliseconds 50%)"
    emit "$text: latency, p99" ms "$variant" "$(milliseconds 99%)"

    emit_cpu "$text" "$variant" \
        "$(awk '$2 == "requests" { print $1 / 1e6 }' <<< "$output")" \
        'per request' us
}

measure_http() {
    local run variant path

    start_origins
    start_variants
    ! wanted ours || start_http_client

    for variant in $VARIANTS; do
        wrk_run 1s "$variant" /16k      # warms up
    done

    for ((run = 1; run <= RUNS; run++)); do
        say "http, run $run of $RUNS"

        for variant in $(in_turn $run); do
            http_run "$variant" /1 'HTTP, 1 byte'
        done

        for variant in $(in_turn $run); do
            http_run "$variant" /16k 'HTTP, 16 KiB'
        done
    done
}


tcp_port() {
    case $1 in
        ours) echo "$port_edge_tcp" ;;
        a)    echo "$port_hop1_tcp" ;;
        b)    echo "$port_hop2_tcp" ;;
    esac
}

tcp_run() {
    local variant=$1 way=$2 count=$3 text=$4 rate bytes

    with_cpu "$variant" tcp_client $pin_load "$BUILD/bench/tcpload" "$way" \
        "$(tcp_port "$variant")" "$count" "$SECONDS_EACH"

    read -r rate bytes <<< "$output"
    emit "$text" GB/s "$variant" "$(calculate "$rate / 1e9")"
    emit_cpu "$text" "$variant" "$(calculate "$bytes / 1e9")" 'per GB' s
}

measure_tcp() {
    local run variant way count text

    start_origins
    start_variants
    ! wanted ours || start_tcp_client

    for ((run = 1; run <= RUNS; run++)); do
        say "tcp, run $run of $RUNS"

        for count in 1 8; do
            for way in down up; do
                text="TCP $way, $count stream$([ $count = 1 ] || echo s)"

                for variant in $(in_turn $run); do
                    tcp_run "$variant" $way $count "$text"
                done
            done
        done
    done
}


latency_run() {
    local variant=$1 p50 p99

    read -r p50 p99 <<< "$($pin_load "$BUILD/bench/latency" \
        "$(http_port "$variant")" "$host" /1 $requests)"
    [ -n "$p99" ] || die "latency, $variant: failed"

    if [ "$variant" = origin ]; then
        straight=$p50
        return
    fi

    emit 'One request at rest: median' us "$variant" "$p50"
    emit 'One request at rest: p99' us "$variant" "$p99"
    emit 'One request at rest: added to the origin alone' us "$variant" \
        "$(calculate "$p50 - $straight")"
}

measure_latency() {
    local run variant

    start_origins
    start_variants
    ! wanted ours || start_http_client

    for ((run = 1; run <= RUNS; run++)); do
        for variant in origin $(in_turn $run); do
            latency_run "$variant"
        done
    done
}
