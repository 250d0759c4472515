#!/usr/bin/env bash
# The running binary in front of servers that others wrote: LiteLLM's proxy and aimock, both on loopback and asking
# nobody outside. Chat, pictures and speech go through the edge by grpcurl, from each of the two.
set -uo pipefail

: "${GRPCURL:?the path of grpcurl is needed in GRPCURL}"
: "${LITELLM:?the path of LiteLLM\'s proxy is needed in LITELLM}" "${LITELLM_CONFIG:?its configuration, in LITELLM_CONFIG}"
: "${AIMOCK:?the path of aimock is needed in AIMOCK}" "${AIMOCK_FIXTURES:?its fixtures, in AIMOCK_FIXTURES}"
# shellcheck source=lib/atelier.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/atelier.sh"

# What is in LiteLLM's configuration and in aimock's fixtures.
readonly LITELLM_KEY=sk-atelier-test AIMOCK_KEY=sk-aimock-test
readonly SAID='A lamp keeps the harbour awake, and the boats come home one by one.'

AIMOCK_PID='' LITELLM_PID=''

# The servers of others end with the script too, whatever way it ends.
leave_all() {
    local code=$? name pid
    for name in AIMOCK LITELLM; do
        pid=${name}_PID
        if [[ -n ${!pid} ]]; then
            kill -s KILL "${!pid}" 2>/dev/null
            wait "${!pid}" 2>/dev/null
        fi
        if ((FAILED > 0)) && [[ -s $PLACE/$name.log ]]; then
            printf 'the end of what %s said:\n' "$name"
            tail -n 15 "$PLACE/$name.log" | cut -c1-400 | sed 's/^/  | /'
        fi
    done
    (exit "$code")
    leave
}
trap leave_all EXIT

# Waits until a server of others is up: `await NAME PID COMMAND…`, which succeeds when it is.
await() {
    local name=$1 pid=$2 began=$SECONDS
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! kill -0 "$pid" 2>/dev/null || ((SECONDS - began > 120)); then
            printf '%s did not start within %s s:\n' "$name" $((SECONDS - began)) >&2
            tail -n 30 "$PLACE/$name.log" >&2
            exit 1
        fi
        sleep 0.2
    done
}

start_aimock() {
    (
        cd "$PLACE" || exit
        # It takes these two keys and refuses every other, so that what it answers was asked with the right one.
        AIMOCK_API_KEYS=$AIMOCK_KEY,unused exec "$AIMOCK" --host 127.0.0.1 --port 0 --strict --fixtures "$AIMOCK_FIXTURES"
    ) >"$PLACE/AIMOCK.log" 2>&1 </dev/null &
    AIMOCK_PID=$!
    await AIMOCK "$AIMOCK_PID" grep -q 'listening on http' "$PLACE/AIMOCK.log"
    AIMOCK_URL=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$PLACE/AIMOCK.log" | tail -n 1)/v1
}

start_litellm() {
    local port
    port=$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])') || exit 1
    (
        cd "$PLACE" || exit
        export AIMOCK_BASE_URL=$AIMOCK_URL LITELLM_LOCAL_MODEL_COST_MAP=True
        exec "$LITELLM" --config "$LITELLM_CONFIG" --host 127.0.0.1 --port "$port"
    ) >"$PLACE/LITELLM.log" 2>&1 </dev/null &
    LITELLM_PID=$!
    LITELLM_URL=http://127.0.0.1:$port/v1
    await LITELLM "$LITELLM_PID" curl -sf -m 5 "http://127.0.0.1:$port/health/liveliness"
}

# How many requests aimock has seen for a path.
asked() {
    curl -sf -m 10 -H "authorization: Bearer $AIMOCK_KEY" "$AIMOCK_URL/_requests" |
        jq --arg path "$1" '[.[] | select(.path == $path)] | length'
}

# `call METHOD MESSAGE`: a call through the edge, as the registered account once there is one.
call() {
    local token=()
    [[ -z ${TOKEN:-} ]] || token=(-H "authorization: Bearer $TOKEN")
    run "$GRPCURL" -plaintext -max-time 50 "${token[@]}" -d "$2" "$HOST" "atelier.$1"
}

# A chat with one of the models behind the chat's URL.
complete() {
    call llm_chat.v1.LlmChatService/Complete \
        "{\"model\": \"$1\", \"messages\": [{\"role\": \"ROLE_USER\", \"text\": \"What does a lighthouse do?\"}]}"
}
paint() {
    call text_image.v1.TextImageService/GenerateImage \
        '{"prompt": "a lighthouse", "size": {"width": 256, "height": 256}, "model": "mock-image"}'
}
speak() { call tts.v1.TtsService/Synthesize '{"text": "The boats come home.", "voice": "alloy"}'; }

# Whether the last event is a failure for this reason, and whether it may pass.
failed_for() {
    json --arg reason "$1" --argjson retryable "$2" \
        'last.event.failed | .reason == $reason and (.retryable // false) == $retryable'
}
# Whether the answer is what both servers say, by this model; pieces that came together are told together.
said_by() {
    json --arg said "$SAID" --arg model "$1" '
        ([.[].event.textDelta.text // empty] | join("") == $said)
        and any(.[]; .event.started | .provider == "openai-compatible" and .model == $model)
        and (last.event | has("completed"))'
}

# `stored WHAT`: fetches the artifact of the last answer by its URL, and compares it with what was told of it.
stored() {
    local file=$PLACE/artifact url size sum
    url=$(value 'map(.event.artifact // empty) | first | .url')
    size=$(value 'map(.event.artifact // empty) | first | .sizeBytes')
    sum=$(value 'map(.event.artifact // empty) | first | .sha256')
    [[ $url == "$URL"/objects/* ]] || { printf 'a URL elsewhere: %s\n' "$url" && return 1; }
    curl -sf -m 30 -o "$file" "$url" || { printf 'not to be had at %s\n' "$url" && return 1; }
    same "$(stat -c %s "$file")" "$size" && same "$(sha256sum "$file" | cut -d' ' -f1)" "$sum"
}
# The picture of aimock's fixtures, byte by byte.
same_picture() {
    jq -r '.fixtures[] | .response.image.b64Json // empty' "$AIMOCK_FIXTURES" | base64 -d | cmp - "$PLACE/artifact"
}
is_wav() { same "$(head -c 4 "$PLACE/artifact")$(head -c 12 "$PLACE/artifact" | tail -c 4)" RIFFWAVE; }

# Neither what the server said nor what it keeps has a key. What it said must have been something.
no_key() {
    local place key
    grep -q '^ready: ' "$PLACE/server.log" || { printf 'the server said nothing\n' && return 1; }
    for key in "$LITELLM_KEY" "$AIMOCK_KEY"; do
        for place in "$PLACE/server.log" "$PLACE/server.out" "$DATA"; do
            ! grep -rqaF -- "$key" "$place" || { printf 'a key is in %s\n' "$place" && return 1; }
        done
    done
}

# `settings LETTERS`: which server stands behind chat, pictures and speech: l for LiteLLM, a for aimock.
settings() {
    local name letter url key at=0
    for name in CHAT IMAGE SPEECH; do
        letter=${1:at:1} at=$((at + 1))
        if [[ $letter == l ]]; then url=$LITELLM_URL key=$LITELLM_KEY; else url=$AIMOCK_URL key=$AIMOCK_KEY; fi
        export "ATELIER_${name}_URL=$url" "ATELIER_${name}_API_KEY=$key"
    done
}

start_aimock
start_litellm
export ATELIER_LOG=debug
export ATELIER_CHAT_MODELS=mock-chat,mock-relayed,mock-limited,mock-broken,mock-overloaded,mock-cut,mock-unknown
export ATELIER_IMAGE_MODELS=mock-image,mock-limited ATELIER_SPEECH_MODEL=mock-speech ATELIER_SPEECH_VOICES=alloy

# --- LiteLLM chats; aimock paints and speaks --------------------------------------------------------------------------
settings laa
start
TOKEN=''
call users.v1.UsersService/Register '{"email": "ana@example.org", "password": "a long enough password"}'
check 'an account is registered' succeeded
TOKEN=$(value 'first.tokens.accessToken')

complete mock-chat
check 'a chat streams what LiteLLM says' said_by mock-chat
check 'its usage is LiteLLM'\''s, and no estimate' \
    json 'map(.event.usage // empty) | first | (.inputTokens | tonumber) > 0 and (.outputTokens | tonumber) > 0 and .estimated == null'
relayed=$(asked /v1/chat/completions)
complete mock-relayed
check 'a chat that LiteLLM passes on to aimock is what aimock says' said_by mock-relayed
check 'aimock was asked for it' same "$(asked /v1/chat/completions)" $((relayed + 1))
check 'its usage is aimock'\''s' json 'map(.event.usage // empty) | first | .inputTokens == "11" and .outputTokens == "17" and .estimated == null'
complete mock-limited
check 'a limit of LiteLLM'\''s is a failure that may pass' failed_for UPSTREAM_BUSY true
complete mock-broken
check 'an error of LiteLLM'\''s is a failure that may pass' failed_for UPSTREAM_BUSY true
complete mock-overloaded
check 'an overload of LiteLLM'\''s is a failure that may pass' failed_for UPSTREAM_BUSY true
complete mock-unknown
check 'a model that LiteLLM has not is a failure that will not pass' failed_for UPSTREAM_REFUSED false

paint
check 'a picture comes from aimock' json 'any(.[]; .event.started.provider == "openai-compatible") and (last.event | has("completed"))'
check 'its artifact is a PNG of the size asked for' \
    json 'map(.event.artifact // empty) | first | .contentType == "image/png" and .width == 256 and .height == 256'
check 'it is stored as it was told' stored
check 'it is the picture that aimock has' same_picture
speak
check 'speech comes from aimock' json 'any(.[]; .event.started.provider == "openai-compatible") and (last.event | has("completed"))'
check 'its artifact is a WAV file that plays for a while' \
    json 'map(.event.artifact // empty) | first | .contentType == "audio/wav" and (.duration | rtrimstr("s") | tonumber) > 0'
check 'its chunks are audio' json 'map(.event.audioChunk // empty) | length > 0 and all(.[]; .contentType == "audio/wav")'
check 'it is stored as it was told' stored
check 'it is a WAV file' is_wav
check 'no key is in what the server says or keeps' no_key
stop
check 'the server ends well' same "$CODE" 0

# --- aimock chats; LiteLLM passes pictures and speech on to it --------------------------------------------------------
settings all
start
call users.v1.UsersService/Login '{"email": "ana@example.org", "password": "a long enough password"}'
check 'the account is still there' succeeded
TOKEN=$(value 'first.tokens.accessToken')
complete mock-chat
check 'a chat streams what aimock says' said_by mock-chat
check 'its usage is aimock'\''s' json 'map(.event.usage // empty) | first | .inputTokens == "11" and .outputTokens == "17" and .estimated == null'
complete mock-limited
check 'a limit of aimock'\''s is a failure that may pass' failed_for UPSTREAM_BUSY true
complete mock-cut
check 'a stream that aimock cuts is a failure that may pass, after what it said' \
    json 'last.event.failed.retryable and ([.[].event.textDelta.text // empty] | join("") | length > 0)'
painted=$(asked /v1/images/generations) spoken=$(asked /v1/audio/speech)
paint
check 'a picture comes through LiteLLM' json 'last.event | has("completed")'
check 'aimock was asked for it' same "$(asked /v1/images/generations)" $((painted + 1))
check 'it is stored as it was told' stored
check 'it is the picture that aimock has' same_picture
speak
check 'speech comes through LiteLLM' json 'last.event | has("completed")'
check 'aimock was asked for it' same "$(asked /v1/audio/speech)" $((spoken + 1))
check 'it plays for a while' json 'map(.event.artifact // empty) | first | (.duration | rtrimstr("s") | tonumber) > 0'
check 'it is stored as it was told' stored
check 'it is a WAV file' is_wav

# --- A wrong key, and nobody there ------------------------------------------------------------------------------------
check 'no key is in what the server says or keeps' no_key
stop
export ATELIER_CHAT_API_KEY=sk-wrong ATELIER_IMAGE_API_KEY=sk-wrong
export ATELIER_IMAGE_URL=$AIMOCK_URL
start
complete mock-chat
check 'a chat with a wrong key is refused' failed_for UPSTREAM_REFUSED false
paint
check 'a picture with a wrong key is refused' failed_for UPSTREAM_REFUSED false
kill -s KILL "$AIMOCK_PID" && wait "$AIMOCK_PID" 2>/dev/null
AIMOCK_PID=''
complete mock-chat
check 'a chat with nobody there is a failure that may pass' failed_for UPSTREAM_UNAVAILABLE true
paint
check 'so is a picture' failed_for UPSTREAM_UNAVAILABLE true
call text_image.v1.TextImageService/GenerateImage '{"prompt": "a lighthouse", "size": {"width": 64, "height": 64}, "model": "atelier-painter"}'
check 'the built-in painter still paints' json 'any(.[]; .event.started.provider == "offline") and (last.event | has("completed"))'
stop
check 'the server ends well' same "$CODE" 0
finish
