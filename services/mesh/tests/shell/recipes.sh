#!/usr/bin/env bash
# docs/grpcurl.md as its reader meets it: every block of it is run in one shell, in order and as it stands, against a fresh
# mesh of two processes, and what it says is held against the lines under it. Every method of the contract must be there.
#
# Needs ATELIER_BIN, GRPCURL, and curl, jq, openssl and python3.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2
# shellcheck source=lib/atelier.sh
source lib/atelier.sh
# shellcheck source=lib/split.sh
source lib/split.sh
: "${GRPCURL:?the path of grpcurl is needed in GRPCURL}"
DOCUMENT=$(realpath ../../../../docs/grpcurl.md)
RECIPES=$(realpath lib/recipes.py)
readonly PATIENCE_FOR_ALL=240

echo "# every block of docs/grpcurl.md"
start_split
mkdir "$PLACE/work" "$PLACE/blocks" "$PLACE/bin"
# The names that the document types.
ln -s "$(realpath "$GRPCURL")" "$PLACE/bin/grpcurl"
ln -s "$(realpath "$ATELIER_BIN")" "$PLACE/bin/atelier"
check "the document has blocks, each with what it says" "$PYTHON" "$RECIPES" split "$DOCUMENT" "$PLACE/blocks"
cat >"$PLACE/runner" <<'RUNNER'
cd "$1" || exit
blocks=$2
# A block has failed when any command of it has.
trap 'failed=$?' ERR
for block in "$blocks"/*.sh; do
    failed=0
    eval "$(<"$block")" >"${block%.sh}.out" 2>&1 </dev/null
    printf '%s\n' "$failed" >"${block%.sh}.code"
done
# What a block that failed in its middle has left running.
kill $(jobs -p) 2>/dev/null
wait
RUNNER
timeout --kill-after=5 "$PATIENCE_FOR_ALL" env "${SETTINGS[@]}" ATELIER_LOG=error "PATH=$PLACE/bin:$PATH" "HOST=localhost:$EDGE_PORT" \
    "ANALYTICS=localhost:$ANALYTICS_PORT" "TLS=localhost:$(free_port)" bash "$PLACE/runner" "$PLACE/work" "$PLACE/blocks"
check "all blocks came to their end in time" same "$?" 0
for block in "$PLACE"/blocks/*.sh; do
    check "$(sed -n '1s/^\(.\{0,100\}\).*/\1/p' "$block")" "$PYTHON" "$RECIPES" compare "${block%.sh}"
done
check "no panic was logged" test -z "$(grep -i panic "$PLACE"/*.log)"

echo "# what the contract has, as reflection tells it"
run "$GRPCURL" -plaintext "localhost:$EDGE_PORT" list
mapfile -t SERVICES < <(grep -v '^grpc\.reflection\.' <<<"$RESULT")
check "reflection lists the services" test "${#SERVICES[@]}" -ge 6
cat "$PLACE"/blocks/*.sh >"$PLACE/all.sh"
for service in "${SERVICES[@]}"; do
    run "$GRPCURL" -plaintext "localhost:$EDGE_PORT" list "$service"
    for method in $RESULT; do
        check "${method%.*}/${method##*.} is called" grep -qF -- "${method%.*}/${method##*.}" "$PLACE/all.sh"
    done
done
stop_split
check "the mesh ends with exit code 0" same "$CODE" 0
finish
