#!/usr/bin/env bash
# Runs others' suites against the edge and shows their totals: the suite of Connect, once for each protocol and kind of
# connection, and the interop cases of gRPC with the client of gRPC in Go. No case is known to fail: one that comes to be
# belongs into a list of its own here, with its reason beside it.
#
#   CONNECTCONFORMANCE=Connect's program  INTEROP_CLIENT=gRPC's client  SUITE_SERVER=the program they test  run.sh FOLDER
#
# What each run said is in FOLDER. The last line is `N passed, N failed`.
set -uo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
folder=${1:?a folder for the logs}
# One run takes seconds; a server that hangs ends it here.
readonly SECONDS_A_RUN=120
# All that gRPC's client knows, but for those about Google's own credentials and about load reports, which no service
# here makes.
readonly INTEROP_CASES=(
    empty_unary large_unary client_streaming server_streaming ping_pong empty_stream
    status_code_and_message special_status_message custom_metadata unimplemented_method unimplemented_service
    timeout_on_sleeping_server cancel_after_begin cancel_after_first_response
    pick_first_unary rpc_soak channel_soak
)
mkdir -p "$folder" || exit 73
passed=0 failed=0

# log_of TITLE: the name of its log, without the ending.
log_of() { printf '%s/%s' "$folder" "$(tr -c 'a-zA-Z0-9\n' '-' <<<"$1")"; }

# total TITLE PASSED FAILED
total() {
    printf '%-32s %4d passed, %d failed\n' "$1" "$2" "$3"
    passed=$((passed + $2)) failed=$((failed + $3))
}

# connect TITLE VERSION PROTOCOL TLS OTHER_TLS
connect() {
    local title=$1 h2c=true without='' log conf line here_passed=0 here_failed=0 code
    log=$(log_of "$title").log conf=$folder/suite.yaml
    # The suite refuses to be asked for what HTTP/1.1 has not.
    [[ $2 == HTTP_VERSION_2 ]] || h2c=false without='/FULL_DUPLEX/d'
    sed -e "s/@VERSION@/$2/" -e "s/@PROTOCOL@/$3/" -e "s/@OTHER_TLS@/$5/" -e "s/@H2C@/$h2c/" -e "$without" "$here/suite.yaml" >"$conf"
    timeout --kill-after=15 "$SECONDS_A_RUN" "$CONNECTCONFORMANCE" -v --mode server --conf "$conf" -- "$SUITE_SERVER" >"$log" 2>&1
    code=$?
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    [[ -n $line ]] && read -r here_passed here_failed < <(sed -E 's/^([0-9]+) passed, ([0-9]+) failed.*/\1 \2/' <<<"$line")
    # A run that ends badly with no failed case, or runs none, has failed.
    if ((here_failed == 0)) && ((code != 0 || here_passed == 0)); then here_failed=1; fi
    ((here_failed == 0)) || { grep -A 8 '^FAILED' "$log" || tail -n 20 "$log"; } | head -n 60
    total "$title" "$here_passed" "$here_failed"
}

# interop TITLE [CERTIFICATES]: with TLS if there is a folder for certificates.
interop() {
    local title=$1 log address='' case here_passed=0 here_failed server said flags=()
    log=$(log_of "$title")
    (($# == 1)) || flags=(--use_tls --use_test_ca --ca_file="$2/ca.pem" --server_host_override=edge.atelier.internal)
    # None of this is about speed, so a busy machine has time.
    flags+=(--soak_per_iteration_max_acceptable_latency_ms=30000 --soak_overall_timeout_seconds=60)
    rm -f "$log"[-.]*
    exec {said}< <(exec "$SUITE_SERVER" interop "${@:2}" 2>"$log-server.log")
    server=$!
    read -r -t 30 address <&"$said"
    for case in "${INTEROP_CASES[@]}"; do
        [[ -n $address ]] || break
        # The client runs one case, and ends badly when that fails.
        if timeout --kill-after=15 "$SECONDS_A_RUN" "$INTEROP_CLIENT" --test_case="$case" \
            --server_host="${address%:*}" --server_port="${address##*:}" "${flags[@]}" >"$log-$case.log" 2>&1; then
            here_passed=$((here_passed + 1))
        else
            printf 'FAILED  %s: %s\n' "$title" "$case"
            tail -n 8 "$log-$case.log" "$log-server.log"
        fi
    done
    here_failed=$((${#INTEROP_CASES[@]} - here_passed))
    if [[ -z $address ]]; then
        printf 'FAILED  %s: there is no server\n' "$title"
        tail -n 8 "$log-server.log"
    fi
    kill "$server" 2>/dev/null
    wait "$server"
    exec {said}<&-
    total "$title" "$here_passed" "$here_failed"
}

connect 'gRPC over HTTP/2' HTTP_VERSION_2 PROTOCOL_GRPC false true
connect 'gRPC over HTTP/2 with TLS' HTTP_VERSION_2 PROTOCOL_GRPC true false
connect 'gRPC-Web over HTTP/2' HTTP_VERSION_2 PROTOCOL_GRPC_WEB false true
connect 'gRPC-Web over HTTP/2 with TLS' HTTP_VERSION_2 PROTOCOL_GRPC_WEB true false
connect 'gRPC-Web over HTTP/1.1' HTTP_VERSION_1 PROTOCOL_GRPC_WEB false true
connect 'gRPC-Web over HTTP/1.1 with TLS' HTTP_VERSION_1 PROTOCOL_GRPC_WEB true false
interop 'gRPC interop'
interop 'gRPC interop with TLS' "$folder/certificates"
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0 && passed > 0))
