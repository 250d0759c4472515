#!/usr/bin/env bash
# Runs the suite of Connect against the edge, once for each protocol and kind of connection, and shows the suite's own
# totals. No case is known to fail: one that comes to be belongs into a list of its own here, with its reason beside it.
#
#   CONNECTCONFORMANCE=the suite's program  SUITE_SERVER=the program it tests  run.sh FOLDER
#
# What each run said is in FOLDER. The last line is `N passed, N failed`.
set -uo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
folder=${1:?a folder for the logs}
# One run takes seconds; a server that hangs ends it here.
readonly SECONDS_A_RUN=120
mkdir -p "$folder" || exit 73
passed=0 failed=0

# run TITLE VERSION PROTOCOL TLS OTHER_TLS
run() {
    local title=$1 h2c=true without='' log conf line here_passed=0 here_failed=0 code
    log=$folder/$(tr -c 'a-zA-Z0-9\n' '-' <<<"$title").log conf=$folder/suite.yaml
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
    printf '%-32s %4d passed, %d failed\n' "$title" "$here_passed" "$here_failed"
    passed=$((passed + here_passed)) failed=$((failed + here_failed))
}

run 'gRPC over HTTP/2' HTTP_VERSION_2 PROTOCOL_GRPC false true
run 'gRPC over HTTP/2 with TLS' HTTP_VERSION_2 PROTOCOL_GRPC true false
run 'gRPC-Web over HTTP/2' HTTP_VERSION_2 PROTOCOL_GRPC_WEB false true
run 'gRPC-Web over HTTP/2 with TLS' HTTP_VERSION_2 PROTOCOL_GRPC_WEB true false
run 'gRPC-Web over HTTP/1.1' HTTP_VERSION_1 PROTOCOL_GRPC_WEB false true
run 'gRPC-Web over HTTP/1.1 with TLS' HTTP_VERSION_1 PROTOCOL_GRPC_WEB true false
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0 && passed > 0))
