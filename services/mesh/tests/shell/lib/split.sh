# shellcheck shell=bash disable=SC2034
# A mesh of two processes for the scripts of this folder: analytics alone, and all else. It is sourced after atelier.sh, keeps
# to loopback, and ends what it started by id.

MESH_SECRET='one secret for every process of the mesh'
SPLIT_PIDS=()

# `launch NAME COMMAND…`: starts a command whose output goes to $PLACE/NAME.log and waits until it says that it is ready. Its
# process is in LAUNCHED, the line in READY.
launch() {
    local name=$1 began=$SECONDS
    shift
    : >"$PLACE/$name.log"
    "$@" >"$PLACE/$name.log" 2>&1 </dev/null &
    LAUNCHED=$! READY=''
    SPLIT_PIDS+=("$LAUNCHED")
    while [[ -z $READY ]]; do
        if ! kill -0 "$LAUNCHED" 2>/dev/null || ((SECONDS - began > PATIENCE)); then
            printf '%s did not start within %s s:\n' "$name" $((SECONDS - began)) >&2
            tail -n 30 "$PLACE/$name.log" >&2
            exit 1
        fi
        sleep 0.05
        READY=$(grep -m1 '^ready\b' "$PLACE/$name.log")
    done
}

# `end PROCESS [SIGNAL]`: ends a process that was launched; its exit code is in CODE, 124 when it had to be killed.
end() {
    local process=$1 began=$SECONDS
    kill -s "${2:-TERM}" "$process" 2>/dev/null
    while kill -0 "$process" 2>/dev/null; do
        if ((SECONDS - began > PATIENCE)); then
            kill -s KILL "$process" 2>/dev/null
            wait "$process" 2>/dev/null
            CODE=124
            return 1
        fi
        sleep 0.05
    done
    wait "$process"
    CODE=$?
}

# `start_split [NAME=VALUE…]`: the two processes on one data folder, with any other variables. EDGE_URL is then the edge's URL,
# ANALYTICS_PORT the port of analytics, and SETTINGS what any other process of this mesh needs.
start_split() {
    EDGE_PORT=$(free_port) ANALYTICS_PORT=$(free_port)
    EDGE_URL=http://localhost:$EDGE_PORT
    SETTINGS=("ATELIER_SECRET=$MESH_SECRET" ATELIER_LAME_DUCK_SECONDS=0 "ATELIER_PUBLIC_URL=$EDGE_URL"
        "ATELIER_USERS_URL=http://127.0.0.1:$(free_port)" "ATELIER_LLM_CHAT_URL=http://127.0.0.1:$(free_port)"
        "ATELIER_TEXT_IMAGE_URL=http://127.0.0.1:$(free_port)" "ATELIER_TTS_URL=http://127.0.0.1:$(free_port)"
        "ATELIER_ANALYTICS_URL=http://127.0.0.1:$ANALYTICS_PORT" "ATELIER_DATA=$DATA" "$@")
    MESH=(env "${SETTINGS[@]}" "$ATELIER_BIN" --admin-port 0)
    start_analytics
    launch edge "${MESH[@]}" --port "$EDGE_PORT" users llm-chat text-image tts edge
    EDGE_PID=$LAUNCHED
}
start_analytics() {
    launch analytics "${MESH[@]}" analytics
    ANALYTICS_PID=$LAUNCHED
}

# Ends both; CODE is the first that is not 0.
stop_split() {
    local first=0 process
    for process in "$EDGE_PID" "$ANALYTICS_PID"; do
        end "$process"
        ((first != 0)) || first=$CODE
    done
    CODE=$first
    ((CODE == 0))
}

# Whatever way a script ends, what it launched ends with it; then atelier.sh's own leaving.
leave_split() {
    local code=$? process log
    for process in "${SPLIT_PIDS[@]}"; do
        kill -s KILL "$process" 2>/dev/null && wait "$process" 2>/dev/null
    done
    if ((FAILED > 0)); then
        for log in "$PLACE"/*.log; do
            [[ ! -s $log ]] || { printf 'the end of %s:\n' "${log##*/}" && tail -n 15 "$log" | sed 's/^/  | /'; }
        done
    fi
    (exit "$code")
    leave
}
trap leave_split EXIT
