#!/usr/bin/env bash
# The running binary as web clients meet it: buf's client over grpc and grpc-web, curl with grpc-web frames made by hand,
# whole and broken, CORS as a browser asks, and Connect's own client under Node. Nothing is built here and nothing is mocked.
#
# Needs ATELIER_BIN, BUF (with tsc beside it), and curl, jq, node, npm and python3. What npm installs is kept in
# ${XDG_CACHE_HOME:-$HOME/.cache}/atelier.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2
# shellcheck source=lib/atelier.sh
source lib/atelier.sh
: "${BUF:?the path of buf is needed in BUF}"
ROOT=$(realpath ../../../..)
LIB=$(realpath lib)
TSC=${TSC:-$(dirname "$BUF")/tsc}
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/atelier

readonly CHAT=atelier.llm_chat.v1.LlmChatService VOICE=atelier.tts.v1.TtsService USERS=atelier.users.v1.UsersService
readonly FOREIGN=http://evil.example PAGE=http://localhost:3000
readonly WEB=application/grpc-web+proto WEB_TEXT=application/grpc-web-text+proto
TOKEN=''

# `buf METHOD JSON [ARGUMENT…]`: a call in the manner of WAY, in the name of TOKEN where there is one.
WAY=()
buf() {
    local method=$1 data=$2 sent=()
    shift 2
    [[ -z $TOKEN ]] || sent=(-H "authorization: Bearer $TOKEN")
    run "$BUF" curl "${WAY[@]}" "${sent[@]}" "$@" -d "$data" "$URL/$method"
}
detail() { says "^$1" "$("$PYTHON" "$LIB/errors.py" <<<"$RESULT")"; }
# `post METHOD CONTENT_TYPE FILE [CURL ARGUMENT…]`: sends a body as it is over HTTP/1.1. The answer's head is in RESULT,
# its status in STATUS, its body in BODY.
BODY=$PLACE/body
post() {
    local method=$1 type=$2 file=$3
    shift 3
    run curl -sS --http1.1 -m 20 -D - -o "$BODY" -w '%{http_code}' -H "content-type: $type" -H 'x-grpc-web: 1' "$@" \
        --data-binary "@$file" "$URL/$method"
    STATUS=${RESULT##*$'\n'}
}
frames() { "$PYTHON" "$LIB/frames.py" "$@"; }
# The status of gRPC in the last `post`, from its head or from its trailers, and its details.
grpc_status() {
    local status
    status=$(sed -nE 's/^grpc-status: *([0-9]+).*/\1/ip' <<<"$RESULT")
    [[ -n $status ]] || status=$(frames read "$@" "$BODY" 2>&1 | sed -nE 's/^trailers.*grpc-status: *([0-9]+).*/\1/p')
    printf '%s' "$status"
}
head_detail() {
    says "^$1" "$(sed -nE 's/^grpc-status-details-bin: *([^[:space:]]+).*/\1/ip' <<<"$RESULT" | "$PYTHON" "$LIB/errors.py" --header)"
}

start
echo "# buf curl: both protocols, with reflection in both versions and with the contract's files"
NUMBER=0
for protocol in "grpc --http2-prior-knowledge" grpcweb "grpcweb --http2-prior-knowledge"; do
    for schema in "--reflect-protocol grpc-v1" "--reflect-protocol grpc-v1alpha" "--schema $ROOT/proto"; do
        read -ra WAY <<<"--protocol $protocol $schema"
        name="${WAY[*]:1}"
        name=${name//$ROOT\//}
        NUMBER=$((NUMBER + 1)) TOKEN=''
        buf $VOICE/ListVoices '{}'
        check "$name: unary" json '.[0].voices | length > 0'
        buf $USERS/Register '{"email":"nobody","password":"long enough"}'
        check "$name: an error has its code" json '.[0].code == "invalid_argument"'
        check "  and its details" detail "BadRequest email: ."
        # Registrations are dear (argon2id), and one account a protocol is enough.
        if [[ $schema == *v1 ]]; then
            buf $USERS/Register "{\"email\":\"web-$NUMBER@example.com\",\"password\":\"correct horse\"}"
            ACCOUNT=$(value '.[0].tokens.accessToken')
            check "$name: Register gives a token" test -n "$ACCOUNT"
        fi
        buf $CHAT/Complete '{"messages":[{"role":"ROLE_USER","text":"What is 3 plus 4?"}]}'
        check "$name: a stream without a token is refused" json '.[0].code == "unauthenticated"'
        TOKEN=$ACCOUNT
        buf $CHAT/Complete '{"messages":[{"role":"ROLE_USER","text":"What is 3 plus 4?"}]}'
        check "$name: a stream in many messages, to a good end" json 'length > 5 and .[-1].event.completed.finishReason == "FINISH_REASON_STOP"'
        check "  with the answer in it" json '[.[].event.textDelta.text // empty] | add | test("7")'
        buf $CHAT/Complete '{"messages":[]}'
        check "$name: a stream's error has its details" detail "BadRequest messages: ."
    done
done
WAY=(--protocol grpc --http2-prior-knowledge)
for version in grpc-v1 grpc-v1alpha; do
    run "$BUF" curl "${WAY[@]}" --reflect-protocol "$version" --list-methods "$URL"
    check "$version lists the methods of all services" same "$(grep -c '^atelier\.' <<<"$RESULT")" "$(grep -rhE '^ *rpc ' "$ROOT/proto" | wc -l)"
done
# The README's line, as written but for the port and for where buf is.
LINE=$(grep -oE '`buf curl [^`]+`' "$ROOT/README.md" | tr -d '`')
check "the README has a line for buf" test -n "$LINE"
RESULT=$(read -ra words <<<"${LINE//http:\/\/localhost:8080/$URL}" && timeout "$PATIENCE" "$BUF" "${words[@]:1}" 2>&1)
CODE=$?
check "  and it works" json '.[0].voices | length > 0'

echo "# frames by hand, over HTTP/1.1"
frames write >"$PLACE/empty"
frames write --base64 >"$PLACE/empty.text"
post $VOICE/ListVoices $WEB "$PLACE/empty"
check "grpc-web: a message and the trailers" same "$STATUS $(frames read "$BODY" 2>&1 | cut -d' ' -f1 | tr '\n' ' ')" "200 message trailers "
check "  of the same content type" says "^content-type: $(sed 's/+/\\+/' <<<$WEB)" "$RESULT"
post $VOICE/ListVoices $WEB_TEXT "$PLACE/empty.text"
check "grpc-web-text: the same in base64" same "$STATUS $(frames read --base64 "$BODY" 2>&1 | cut -d' ' -f1 | tr '\n' ' ')" "200 message trailers "
check "  of the same content type" says "^content-type: application/grpc-web-text" "$RESULT"
post $VOICE/ListVoices "application/grpc-web-text" "$PLACE/empty.text" -H "accept: application/grpc-web+proto"
check "text in, binary out, as accept asks" same "$(frames read "$BODY" 2>&1 | cut -d' ' -f1 | tr '\n' ' ')" "message trailers "
frames write --base64 "ada@example.com" >"$PLACE/login.text"
post $USERS/Login $WEB_TEXT "$PLACE/login.text"
check "grpc-web-text: an error of the service is 200 with its grpc-status" same "$STATUS $(grpc_status --base64)" "200 3"
check "  with its details" head_detail "BadRequest password: ."
CONVERSATION=$(WAY=(--protocol grpcweb --reflect-protocol grpc-v1) && buf $CHAT/CreateConversation '{}' && value '.[0].conversation.id')
"$PYTHON" - "$CONVERSATION" >"$PLACE/send.text" <<'PY'
import base64, struct, sys
def field(number, text):
    return bytes([number << 3 | 2, len(text)]) + text.encode()
message = field(1, sys.argv[1]) + field(2, "Write me a story about a lighthouse.")
sys.stdout.buffer.write(base64.b64encode(struct.pack(">BI", 0, len(message)) + message))
PY
post $CHAT/SendMessage $WEB_TEXT "$PLACE/send.text" -H "authorization: Bearer $TOKEN"
check "grpc-web-text: a stream of many messages" same "$STATUS $(grpc_status --base64)" "200 0"
check "  each in a frame of its own" test "$(frames read --base64 "$BODY" | grep -c '^message')" -gt 20
for type in "$WEB; charset=utf-8" "$WEB;charset=UTF-8" "Application/gRPC-Web" "application/grpc-web ; a=b"; do
    post $VOICE/ListVoices "$type" "$PLACE/empty"
    check "the content type '$type' is understood" same "$STATUS $(grpc_status)" "200 0"
done
for refusal in "application/json 415" "application/grpc 415" "application/grpc-web+json 415" "text/plain 415"; do
    post $VOICE/ListVoices "${refusal% *}" "$PLACE/empty"
    check "the content type '${refusal% *}' over HTTP/1.1 is ${refusal#* }" same "$STATUS" "${refusal#* }"
    check "  in JSON that names a reason" jq -e '.error.reason | length > 0' "$BODY"
done

echo "# broken frames: an error answer each, never a wait, and nobody else notices"
# `broken TITLE STATUS CONTENT_TYPE`: the body is on standard input.
broken() {
    local began=$SECONDS
    cat >"$PLACE/broken"
    post $VOICE/ListVoices "$3" "$PLACE/broken"
    check "$1: HTTP $STATUS and grpc-status $2" same "$STATUS $(grpc_status)" "200 $2"
    check "  at once" test $((SECONDS - began)) -le 5
}
broken "a message that is cut short" 3 $WEB < <(printf '\0\0\0\0\x10abc')
broken "a header that is cut short" 3 $WEB < <(printf '\0\0')
broken "no frame at all" 12 $WEB < <(printf '')
broken "two messages in a unary call" 12 $WEB < <(printf '\0\0\0\0\0\0\0\0\0\0')
broken "a length of 4 GiB" 8 $WEB < <(printf '\0\377\377\377\377')
broken "a message that is no Protobuf" 3 $WEB < <(printf '\0\0\0\0\3\377\377\377')
broken "a compressed message that nobody announced" 13 $WEB < <(printf '\1\0\0\0\0')
broken "trailers from a client" 3 $WEB < <(printf '\200\0\0\0\0')
broken "bad base64" 3 $WEB_TEXT < <(printf '!!!! this is not base64 !!!!')
broken "base64 that is cut short" 3 $WEB_TEXT < <(printf 'AAAAAA')
"$PYTHON" -c 'import random, sys; sys.stdout.buffer.write(b"\xee" + random.Random(7).randbytes(4096))' | broken "junk" 3 $WEB
"$PYTHON" -c 'import random, sys; sys.stdout.buffer.write(random.Random(8).randbytes(4096))' | broken "junk as text" 3 $WEB_TEXT
# A caller who promises more than it sends, and goes: the connection is its own problem.
"$PYTHON" - "$HOST" "$VOICE" <<'PY'
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
for _ in range(50):
    with socket.create_connection((host, int(port)), timeout=5) as wire:
        wire.sendall(f"POST /{sys.argv[2]}/ListVoices HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc-web+proto\r\n"
                     "content-length: 500\r\n\r\n".encode() + b"\0\0\0")
PY
post $VOICE/ListVoices $WEB "$PLACE/empty"
check "after all that the server still serves" same "$STATUS $(grpc_status)" "200 0"
check "  and what callers break is no error of its own: it logged none" same "$(grep -c ' ERROR ' "$PLACE/server.log")" 0

echo "# CORS"
preflight() {
    run curl -sS -m 20 -D - -o "$BODY" -w '%{http_code}' -X OPTIONS -H "origin: $1" -H 'access-control-request-method: POST' \
        -H 'access-control-request-headers: authorization,content-type,x-grpc-web,x-user-agent' "$URL/$USERS/Login"
    STATUS=${RESULT##*$'\n'}
}
for origin in "$PAGE" http://127.0.0.1:3000 "$URL" "http://127.0.0.1:${HOST##*:}"; do
    preflight "$origin"
    check "a preflight of $([[ $origin == *"${HOST##*:}" ]] && echo "the edge's own page, ")$origin is granted" same "$STATUS" 204
    check "  to that origin alone" says "^access-control-allow-origin: $origin" "$RESULT"
done
preflight "$PAGE"
check "the headers of grpc-web may be sent" says "^access-control-allow-headers:.*x-grpc-web" "$RESULT"
check "POST may be used" says "^access-control-allow-methods:.*POST" "$RESULT"
preflight $FOREIGN
check "a preflight of a foreign origin is 403" same "$STATUS" 403
check "  and grants nothing" has_not access-control
post $VOICE/ListVoices $WEB "$PLACE/empty" -H "origin: $PAGE"
check "a call of an allowed page is answered to it" says "^access-control-allow-origin: $PAGE" "$RESULT"
check "  and it may read the status" says "^access-control-expose-headers:.*grpc-status.*grpc-status-details-bin" "$RESULT"
post $USERS/Login $WEB "$PLACE/empty" -H "origin: $PAGE"
check "so is an error" says "^access-control-allow-origin: $PAGE" "$RESULT"
post $VOICE/ListVoices $WEB "$PLACE/empty" -H "origin: $FOREIGN"
check "a call of a foreign page is 403" same "$STATUS" 403
check "  and it may read nothing" has_not access-control
run curl -sS -m 20 "$URL/"
check "the page at / names the address that it has" has "$HOST"

echo "# Connect's own client under Node"
LOCK=$(sha256sum <node/package-lock.json)
MODULES=$CACHE/webclient-${LOCK:0:12}
# Only a finished installation is taken, and two runs do not install at once.
install_modules() {
    [[ -f $MODULES/installed ]] && return 0
    rm -rf "$MODULES"
    mkdir -p "$MODULES" && cp node/package.json node/package-lock.json "$MODULES/" &&
        npm ci --prefix "$MODULES" --no-audit --no-fund --ignore-scripts && touch "$MODULES/installed"
}
mkdir -p "$CACHE"
check "its packages can be installed" flock "$CACHE/webclient.lock" bash -c "$(declare -f install_modules)"$'\n'"MODULES=$(printf %q "$MODULES") install_modules"
CLIENT=$PLACE/client
mkdir "$CLIENT"
mkdir "$CLIENT/js"
cp -r "$ROOT/gen/ts/src" node/client.ts node/package.json node/tsconfig.json "$CLIENT/"
ln -s "$MODULES/node_modules" "$CLIENT/node_modules"
RESULT=''
check "the client compiles against the generated contract" "$TSC" --project "$CLIENT"
run node "$CLIENT/js/client.js" "$URL"
printf '%s\n' "$RESULT" | grep -v ' passed, '
LINE=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' <<<"$RESULT" | tail -n 1)
read -r CLIENT_PASSED _ CLIENT_FAILED _ <<<"${LINE:-0 passed, 1 failed}"
PASSED=$((PASSED + CLIENT_PASSED)) FAILED=$((FAILED + CLIENT_FAILED))
RESULT=''
check "the client came to its end" same "$CODE" "$((CLIENT_FAILED > 0))"

stop TERM
check "SIGTERM ends with exit code 0" same "$CODE" 0
check "no panic was logged" test -z "$(grep -i panic "$PLACE/server.log")"
finish
