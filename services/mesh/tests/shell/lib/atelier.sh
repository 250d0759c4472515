# shellcheck shell=bash disable=SC2034
# What the scripts of this folder share: a real `atelier` of their own in a folder of their own, and the counting of
# checks. It is sourced, knows nothing of the server's insides, and leaves no process and no file behind.
#
# A script sources it, calls `start` and `check …`, and ends with `finish`.

: "${ATELIER_BIN:?the path of the atelier binary is needed in ATELIER_BIN}"
: "${PYTHON:=python3}"

# No proxy and no setting of the caller's may stand between a script and its server. ATELIER_BIN itself stays here:
# the server would refuse a setting of that name.
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY
while read -r name; do export -n "${name?}"; done < <(compgen -e | grep -E '^(ATELIER_|OTEL_)')

# Scripts ask more often than anybody may.
ATELIER_LIMITS=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/unlimited.toml
export ATELIER_LIMITS

# The longest that anything but a build may take, in seconds.
readonly PATIENCE=60

PLACE=$(mktemp -d "${TMPDIR:-/tmp}/atelier-shell.XXXXXX") || exit 73
DATA=$PLACE/data
SERVER_PID='' PASSED=0 FAILED=0 RESULT='' CODE=0

# A check: `check TITLE COMMAND…` passes when the command succeeds. Its output is shown when it does not.
check() {
    local title=$1
    shift
    if "$@" >"$PLACE/check.out" 2>&1; then
        PASSED=$((PASSED + 1))
        printf 'ok      %s\n' "$title"
        return 0
    fi
    FAILED=$((FAILED + 1))
    printf 'FAILED  %s\n' "$title"
    printf '        the command: %s\n' "${*:0:400}" | head -c 600
    printf '\n'
    head -c 2000 "$PLACE/check.out" | sed 's/^/        | /'
    if [[ -n $RESULT ]]; then
        printf '        the last answer (%s):\n' "$CODE"
        head -c 2000 <<<"$RESULT" | sed 's/^/        | /'
    fi
    return 1
}

# Runs a command in a bounded time; its output, both streams, is in RESULT and its exit code in CODE.
run() {
    RESULT=$(timeout --kill-after=5 "$PATIENCE" "$@" 2>&1)
    CODE=$?
}

# What checks are made of.
same() { [[ $1 == "$2" ]] || { printf 'found:  %s\nwanted: %s\n' "$1" "$2" && return 1; }; }
has() { grep -qF -- "$1" <<<"$RESULT" || { printf 'not there: %s\n' "$1" && return 1; }; }
has_not() { ! grep -qF -- "$1" <<<"$RESULT" || { printf 'there, and should not be: %s\n' "$1" && return 1; }; }
says() { grep -qiE -- "$1" <<<"$2" || { printf 'no match of %s in: %s\n' "$1" "$2" && return 1; }; }
succeeded() { [[ $CODE == 0 ]] || { printf 'exit code %s\n' "$CODE" && return 1; }; }
# `json FILTER [ARGUMENT…]`: whether a filter of jq holds for RESULT, all values of it in one array.
json() { jq -es "$@" <<<"$RESULT" >/dev/null; }
# `value FILTER`: what a filter of jq finds in RESULT, all values of it in one array; nothing for null.
value() { jq -rs "$1 // empty" <<<"$RESULT" 2>/dev/null; }

# A port that is free, and that no outgoing connection is given: one could otherwise take it between now and its use.
free_port() {
    "$PYTHON" - <<'PYTHON'
import random, socket
try:
    first = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
except OSError:
    first = 32768
for _ in range(200):
    port = random.randint(10000, max(first - 1, 20000))
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
else:
    raise SystemExit("no port is free")
PYTHON
}

# Starts the server on ports of its own. HOST is then its HOST:PORT, URL its URL, ADMIN that of its admin port.
start() {
    local log=$PLACE/server.log line='' began=$SECONDS
    : >"$log"
    "$ATELIER_BIN" --data "$DATA" --port 0 --admin-port 0 >"$PLACE/server.out" 2>"$log" </dev/null &
    SERVER_PID=$!
    while [[ -z $line ]]; do
        if ! kill -0 "$SERVER_PID" 2>/dev/null || ((SECONDS - began > PATIENCE)); then
            printf 'the server did not start within %s s:\n' $((SECONDS - began)) >&2
            tail -n 30 "$log" >&2
            exit 1
        fi
        sleep 0.05
        line=$(grep -m1 '^ready: ' "$log")
    done
    URL=$(sed -E 's/^ready: ([^ ]+) .*/\1/' <<<"$line")
    ADMIN=$(sed -E 's/.* admin: ([^ ]+).*/\1/' <<<"$line")
    HOST=${URL#*://}
}

# Ends the server with a signal (TERM); its exit code is in CODE, 124 when it had to be killed.
stop() {
    local began=$SECONDS
    [[ -n $SERVER_PID ]] || return 0
    kill -s "${1:-TERM}" "$SERVER_PID" 2>/dev/null
    while kill -0 "$SERVER_PID" 2>/dev/null; do
        if ((SECONDS - began > PATIENCE)); then
            kill -s KILL "$SERVER_PID" 2>/dev/null
            wait "$SERVER_PID" 2>/dev/null
            SERVER_PID='' CODE=124
            return 1
        fi
        sleep 0.05
    done
    wait "$SERVER_PID"
    CODE=$?
    SERVER_PID=''
}

# Whatever way a script ends, its server and its files end with it.
leave() {
    local code=$?
    trap - EXIT
    if [[ -n $SERVER_PID ]]; then
        kill -s KILL "$SERVER_PID" 2>/dev/null
        wait "$SERVER_PID" 2>/dev/null
    fi
    if ((FAILED > 0)) && [[ -s $PLACE/server.log ]]; then
        printf 'the end of what the server said:\n'
        tail -n 30 "$PLACE/server.log" | sed 's/^/  | /'
    fi
    rm -rf "$PLACE"
    printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
    exit "$code"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The end of every script: 0 only when something was checked and nothing failed. `leave` writes the last line.
finish() { if ((FAILED == 0 && PASSED > 0)); then exit 0; else exit 1; fi; }
