#!/usr/bin/env bash
# The running binary as somebody with grpcurl and curl meets it: every service through the edge, what the README and the
# demo print, a reply that is picked up again, and a restart. Nothing is built here and nothing is mocked.
#
# Needs ATELIER_BIN, GRPCURL, and curl, jq and python3.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2
# shellcheck source=lib/atelier.sh
source lib/atelier.sh
: "${GRPCURL:?the path of grpcurl is needed in GRPCURL}"
README=$(realpath ../../../../README.md)
LIB=$(realpath lib)

readonly CHAT=atelier.llm_chat.v1.LlmChatService IMAGE=atelier.text_image.v1.TextImageService
readonly VOICE=atelier.tts.v1.TtsService USERS=atelier.users.v1.UsersService USAGE=atelier.analytics.v1.AnalyticsService
readonly CREDITS=atelier.users.v1.CreditsService
readonly SERVICES=("$USERS" "$CREDITS" "$CHAT" "$IMAGE" "$VOICE" "$USAGE")
TOKEN=''

# The command that the documents tell people to type.
grpcurl() { "$GRPCURL" "$@"; }
# `call METHOD [JSON]`, in the name of TOKEN where there is one.
call() {
    local sent=()
    [[ -z $TOKEN ]] || sent=(-H "authorization: Bearer $TOKEN")
    run "$GRPCURL" -plaintext -format-error "${sent[@]}" -d "${2:-{\}}" "$HOST" "$1"
}
# Whether the last call failed with this code, and whether its details have this line.
failed_with() { ((CODE != 0)) && json --argjson code "$1" '.[-1].code == $code'; }
detail() { says "^$1" "$("$PYTHON" "$LIB/errors.py" <<<"$RESULT")"; }
# The text that a stream of events tells, a snapshot replacing what came before it.
readonly FOLD='reduce .[].event as $e (""; if $e.snapshot then $e.snapshot.text // "" elif $e.textDelta then . + $e.textDelta.text else . end)'
# Every stream of events must be of one generation, grow, name who made it, and end with `completed`.
whole() {
    json '[.[].event] as $e
        | ($e | map(.generationId) | unique | length == 1)
        and ($e | map(.sequence | tonumber) | . == (. | unique))
        and ([$e[].started // empty] | length > 0 and all(.provider == "offline" and .model != ""))
        and ($e[-1].completed.finishReason == "FINISH_REASON_STOP")
        and ([$e[] | select(.completed or .failed or .cancelled)] | length == 1)'
}
# `fetch URL FILE [CURL ARGUMENT…]`: the head is in RESULT, the status in STATUS.
fetch() {
    local url=$1 file=$2
    shift 2
    run curl -sS -D - -o "$file" -w '%{http_code}' "$@" "$url"
    STATUS=${RESULT##*$'\n'}
}
# `is_png FILE WIDTH HEIGHT` by its first bytes, and `is_wave FILE`: between one second and a minute, and not silent.
is_png() {
    "$PYTHON" -c '
import struct, sys
head = open(sys.argv[1], "rb").read(24)
size = tuple(int(word) for word in sys.argv[2:])
assert head[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", head[16:24]) == size, head' "$@"
}
is_wave() {
    "$PYTHON" -c '
import sys, wave
with wave.open(sys.argv[1]) as sound:
    seconds = sound.getnframes() / sound.getframerate()
    frames = sound.readframes(sound.getnframes())
assert 1 < seconds < 60, seconds
loudest = max(abs(int.from_bytes(frames[i:i + 2], "little", signed=True)) for i in range(0, len(frames), 2))
assert loudest > 1000, loudest' "$@"
}
# Fetches the last answer's artifact to a file, and checks it against what the event says of it.
check_artifact() {
    local what=$1 file=$2 size sha
    URL_OF=$(value '[.[].event.artifact // empty][-1].url') size=$(value '[.[].event.artifact // empty][-1].sizeBytes')
    sha=$(value '[.[].event.artifact // empty][-1].sha256')
    fetch "$URL_OF" "$file"
    check "$what: its URL answers 200 without a token" same "$STATUS" 200
    check "$what: as many bytes as told" same "$(stat -c %s "$file")" "$size"
    check "$what: the SHA-256 is the one told" same "$(sha256sum <"$file" | cut -d' ' -f1)" "$sha"
}

echo "# what there is"
start
run "$GRPCURL" -plaintext "$HOST" list
for service in "${SERVICES[@]}" grpc.health.v1.Health grpc.reflection.v1.ServerReflection grpc.reflection.v1alpha.ServerReflection; do
    check "list shows $service" has "$service"
done
run "$GRPCURL" -plaintext "$HOST" describe $CHAT.SendMessage
check "describe shows a method with its messages" has "rpc SendMessage ( .atelier.llm_chat.v1.SendMessageRequest ) returns ( stream .atelier.llm_chat.v1.SendMessageResponse )"
check "describe shows the policy of a method" has "access: ACCESS_USER"
run "$GRPCURL" -plaintext "$HOST" describe .atelier.llm_chat.v1.SendMessageRequest
check "describe shows a message with its fields" has "string conversation_id = 1;"
for service in "" "${SERVICES[@]}"; do
    call grpc.health.v1.Health/Check "{\"service\":\"$service\"}"
    check "health of '$service' is SERVING" json '.[0].status == "SERVING"'
done
call grpc.health.v1.Health/Check '{"service":"nobody"}'
check "health of nobody is NOT_FOUND" failed_with 5
for path in livez readyz metrics; do
    fetch "$ADMIN/$path" "$PLACE/admin"
    check "the admin port answers /$path" same "$STATUS" 200
done
check "the metrics are Prometheus text" grep -qE '^# TYPE [a-z_]+ ' "$PLACE/admin"

echo "# the README's own lines, as written but for the port"
# The code block behind the headline, each command on one line.
sed -n '/^## Try it with grpcurl/,/^## /p' "$README" | sed -n '/^```sh$/,/^```$/{/^```/d;p}' |
    sed -e ':a' -e '/\\$/N' -e 's/\\\n *//' -e 'ta' | sed "s/localhost:8080/$HOST/g" >"$PLACE/readme"
check "the README has a list, a registration and two generations" same "$(grep -c '^grpcurl ' "$PLACE/readme")" 4
while read -r line; do
    case $line in
    TOKEN=*)
        TOKEN=$(value '.[0].tokens.accessToken')
        check "the README's registration gives a token" test -n "$TOKEN"
        continue
        ;;
    esac
    RESULT=$(eval "$line" 2>&1)
    CODE=$?
    check "the README: ${line:0:60}…" succeeded
    case $line in
    *GenerateImage | *Synthesize) check "  and it ends well" whole ;;
    esac
done <"$PLACE/readme"
call $USERS/ListUsers
check "before the grant ListUsers is PERMISSION_DENIED" failed_with 7
run "$ATELIER_BIN" admin grant ada@example.com --data "$DATA"
check "the README: atelier admin grant ada@example.com" succeeded
TOKEN=''
call $USERS/Login '{"email":"ada@example.com","password":"correct horse"}'
check "Login says that she is an admin" json '.[0].user.role == "ROLE_ADMIN"'
TOKEN=$(value '.[0].tokens.accessToken')
call $USERS/ListUsers
check "after the grant ListUsers lists her" json '.[0].users | map(.email) | index("ada@example.com")'

echo "# accounts and keys"
TOKEN=''
call $USERS/Register '{"email":"Grace@Example.com","password":"anchors aweigh","display_name":"Grace"}'
check "Register makes an account" json '.[0].user | .id != "" and .role == "ROLE_USER" and .displayName == "Grace"'
USER=$(value '.[0].user.id')
call $USERS/Register '{"email":"grace@example.com","password":"anchors aweigh"}'
check "the same e-mail again is ALREADY_EXISTS" failed_with 6
check "  and its reason is EMAIL_TAKEN" detail "ErrorInfo EMAIL_TAKEN atelier"
call $USERS/Login '{"email":"grace@example.com","password":"anchors away!"}'
check "a wrong password is UNAUTHENTICATED" failed_with 16
check "  and its reason is INVALID_CREDENTIALS" detail "ErrorInfo INVALID_CREDENTIALS atelier"
call $USERS/Login '{"email":"grace@example.com","password":"anchors aweigh"}'
TOKEN=$(value '.[0].tokens.accessToken')
check "Login gives a token" test -n "$TOKEN"
call $USERS/GetMe
check "GetMe knows whose token it is" json --arg id "$USER" '.[0].user.id == $id'
fetch "$URL/.well-known/jwks.json" "$PLACE/jwks.json"
check "jwks.json has keys" jq -e '.keys | length > 0 and all(.kty == "RSA" and .kid != "" and .n != "" and .e != "")' "$PLACE/jwks.json"
check "the token's kid is among them and its signature holds" "$PYTHON" "$LIB/access_token.py" "$PLACE/jwks.json" <<<"$TOKEN"
check "a changed token does not hold" test -z "$("$PYTHON" "$LIB/access_token.py" "$PLACE/jwks.json" <<<"${TOKEN:0:-8}AAAAAAAA" 2>/dev/null)"

echo "# errors"
SAVED=$TOKEN TOKEN=''
call $USERS/Register '{"email":"nobody","password":"long enough"}'
check "a bad e-mail is INVALID_ARGUMENT" failed_with 3
check "  and its details name the field" detail "BadRequest email: ."
check "  and no other field" test "$("$PYTHON" "$LIB/errors.py" <<<"$RESULT" | grep -c BadRequest)" == 1
run "$GRPCURL" -plaintext -d '{"email":"nobody","password":"long enough"}' "$HOST" $USERS/Register
check "grpcurl's own text says the code" has "Code: InvalidArgument"
check "grpcurl can read the details by itself, from reflection" has '"field": "email"'
call $CHAT/ListConversations
check "without a token UNAUTHENTICATED" failed_with 16
TOKEN=${SAVED:0:-8}AAAAAAAA
call $CHAT/ListConversations
check "with a forged token UNAUTHENTICATED" failed_with 16
TOKEN=$SAVED
call $USAGE/RecordEvents '{"events":[{"id":"x","source":"tts","user_id":"u"}]}'
check "a method of services alone is PERMISSION_DENIED" failed_with 7
check "  and its reason is INTERNAL_ONLY" detail "ErrorInfo INTERNAL_ONLY atelier"
call $USERS/Vanish
check "a method that reflection does not list is refused by grpcurl" has "does not include a method named"
cat >"$PLACE/vanish.proto" <<'PROTO'
syntax = "proto3";
package atelier.users.v1;
message Nothing {}
service UsersService { rpc Vanish(Nothing) returns (Nothing); }
service GoneService { rpc Vanish(Nothing) returns (Nothing); }
PROTO
for service in UsersService GoneService; do
    run "$GRPCURL" -plaintext -format-error -import-path "$PLACE" -proto vanish.proto -d '{}' "$HOST" "atelier.users.v1.$service/Vanish"
    check "$service/Vanish, which is not there, is UNIMPLEMENTED" failed_with 12
done
call $IMAGE/GetImage '{"image_id":"01900000-0000-7000-8000-000000000000"}'
check "a picture that is not there is NOT_FOUND" failed_with 5

echo "# chat"
call $CHAT/CreateConversation '{"title":"Lighthouses","request_id":"shell-1"}'
TALK=$(value '.[0].conversation.id')
check "CreateConversation makes one" test -n "$TALK"
call $CHAT/CreateConversation '{"title":"Lighthouses","request_id":"shell-1"}'
check "the same request_id gives the same one" json --arg id "$TALK" '.[0].conversation.id == $id'
call $CHAT/SendMessage "{\"conversation_id\":\"$TALK\",\"text\":\"Hello! My name is Grace and I like lighthouses.\"}"
check "SendMessage streams a reply that ends well" whole
check "  in more than three pieces" json '[.[].event.textDelta // empty] | length > 3'
call $CHAT/SendMessage "{\"conversation_id\":\"$TALK\",\"text\":\"What is my name, and what do I like?\"}"
check "the reply remembers the name" says "Grace" "$(value "$FOLD")"
check "the reply remembers the lighthouses" says "lighthouses" "$(value "$FOLD")"
call $CHAT/SendMessage "{\"conversation_id\":\"$TALK\",\"text\":\"What is 17% of 340?\",\"request_id\":\"shell-sum\"}"
check "the reply reckons" says "57\.8" "$(value "$FOLD")"
check "its usage counts tokens" json '[.[].event.usage // empty][-1] | (.inputTokens | tonumber > 0) and (.outputTokens | tonumber > 0)'
FIRST=$(value '.[0].event.generationId')
call $CHAT/SendMessage "{\"conversation_id\":\"$TALK\",\"text\":\"What is 17% of 340?\",\"request_id\":\"shell-sum\"}"
check "the same request_id replays the same generation" json --arg id "$FIRST" '.[0].event.generationId == $id'
call $CHAT/SendMessage "{\"conversation_id\":\"$TALK\",\"text\":\"What is 18% of 340?\",\"request_id\":\"shell-sum\"}"
check "the same request_id with another text is FAILED_PRECONDITION" failed_with 9

echo "# a reply whose reader is killed is picked up again"
STORY="Write me a story about a lighthouse. Then write me a long poem about the sea."
mkfifo "$PLACE/events"
timeout "$PATIENCE" "$GRPCURL" -plaintext -H "authorization: Bearer $TOKEN" \
    -d "{\"conversation_id\":\"$TALK\",\"text\":\"$STORY\"}" "$HOST" $CHAT/SendMessage >"$PLACE/events" 2>/dev/null &
READER=$!
# Event by event: the pipe gives whole lines, an event ends with a brace at the line's beginning.
SEEN='' DELTAS=0
while IFS= read -r line; do
    SEEN+=$line$'\n'
    [[ $line != *'"textDelta"'* ]] || DELTAS=$((DELTAS + 1))
    if [[ $line == '}' && $DELTAS -ge 12 ]]; then
        # `timeout` hands a TERM on to grpcurl, which knows no end but dying of it.
        kill -s TERM "$READER"
        break
    fi
done <"$PLACE/events"
wait "$READER" 2>/dev/null
RESULT=$SEEN CODE=0
check "the reader was killed in the middle" json '(length > 12) and all(.event.completed == null)'
EARLY=$(value "$FOLD") GENERATION=$(value '.[0].event.generationId') LAST=$(value '.[-1].event.sequence')
call $CHAT/WatchGeneration "{\"generation_id\":\"$GENERATION\",\"after_sequence\":\"$LAST\"}"
LATE=$RESULT
check "WatchGeneration goes on behind the last sequence" json --argjson last "$LAST" 'all(.event.sequence | tonumber > $last)'
check "  with more text" json '[.[].event.textDelta // empty] | length > 0'
check "  to the end" json '.[-1].event.completed.finishReason == "FINISH_REASON_STOP"'
RESULT=$SEEN$LATE
JOINED=$(value "$FOLD")
call $CHAT/WatchGeneration "{\"generation_id\":\"$GENERATION\"}"
check "both halves together are what a watch from 0 tells" same "$JOINED" "$(value "$FOLD")"
check "  and they begin with what the dead reader saw" same "${JOINED:0:${#EARLY}}" "$EARLY"
call $CHAT/ListMessages "{\"conversation_id\":\"$TALK\"}"
check "  and what is kept" json --arg id "$GENERATION" --arg text "$JOINED" '.[0].messages | map(select(.generationId == $id)) | .[0].text == $text and .[0].state == "STATE_COMPLETED"'

echo "# pictures"
call $IMAGE/ListStyles
check "ListStyles has styles, one of them the default" json '.[0].styles | (length > 3) and (map(select(.isDefault)) | length == 1)'
STYLE=$(value '.[0].styles | map(select(.isDefault | not))[0].id')
call $IMAGE/GenerateImage "{\"prompt\":\"a lighthouse in a storm\",\"style\":\"$STYLE\",\"size\":{\"width\":320,\"height\":200},\"seed\":\"7\"}"
check "GenerateImage streams to a good end" whole
check "  with progress that never falls" json '[.[].event.progress.fraction // empty] | length > 1 and . == sort'
check "  and previews" json '[.[].event.imagePreview // empty] | length > 0 and all(.contentType == "image/png")'
check_artifact "the picture" "$PLACE/picture.png"
PICTURE=$URL_OF PICTURE_SHA=$(sha256sum <"$PLACE/picture.png")
check "the picture is a PNG of 320 × 200" is_png "$PLACE/picture.png" 320 200
fetch "$PICTURE" "$PLACE/part" -H 'Range: bytes=0-7'
check "a range is 206" same "$STATUS" 206
check "  and it is the PNG's magic" same "$(od -An -tx1 "$PLACE/part" | tr -d ' \n')" 89504e470d0a1a0a
check "  of a whole that is told" says "^content-range: bytes 0-7/$(stat -c %s "$PLACE/picture.png")" "$RESULT"
LETTER=${PICTURE: -5:1}
fetch "${PICTURE:0:-5}$([[ $LETTER == A ]] && echo B || echo A)${PICTURE: -4}" "$PLACE/part"
check "a changed signature is 403" same "$STATUS" 403
fetch "${PICTURE/expires=1/expires=2}" "$PLACE/part"
check "a later end is 403" same "$STATUS" 403
fetch "${PICTURE%%\?*}" "$PLACE/part"
check "no signature is 403" same "$STATUS" 403

echo "# speech"
call $VOICE/ListVoices
check "ListVoices has a default" json '.[0].voices | map(select(.isDefault)) | length == 1'
call $VOICE/Synthesize '{"text":"The lighthouse keeper counts the boats, and writes their names into a book.","format":"AUDIO_FORMAT_WAV"}'
check "Synthesize streams to a good end" whole
check "  in chunks that follow each other" json '[.[].event.audioChunk // empty | {o: (.offset // "0" | tonumber), n: (.data | @base64d | length)}] | length > 1 and .[0].o == 0 and (map(.o) == (map(.o) | sort))'
jq -rs '.[].event.audioChunk.data // empty' <<<"$RESULT" >"$PLACE/chunks"
check_artifact "the speech" "$PLACE/speech.wav"
check "the speech is a wave of more than a second that is not silent" is_wave "$PLACE/speech.wav"
check "  and the chunks have the same sound" "$PYTHON" -c '
import base64, sys, wave
with wave.open(sys.argv[1]) as sound:
    frames = sound.readframes(sound.getnframes())
streamed = b"".join(base64.b64decode(line) for line in open(sys.argv[2]))
assert streamed[:4] == b"RIFF" and streamed.endswith(frames), (len(streamed), len(frames))' "$PLACE/speech.wav" "$PLACE/chunks"

echo "# usage"
for ((tries = 0; tries < 100; tries++)); do
    call $USAGE/GetUsageSummary '{"dimensions":["DIMENSION_SERVICE"]}'
    json '.[0].rows // [] | map(.generations | tonumber) | add == 6' && break
    sleep 0.2
done
check "GetUsageSummary counts every generation of this account, and no other's" json '.[0].rows | map({(.service): (.generations | tonumber)}) | add == {"llm-chat": 4, "text-image": 1, "tts": 1}'
check "  with what they used" json '.[0].rows | map(.usage) | any((.outputTokens // "0" | tonumber) > 50) and any(.images == "1") and any((.audioMillis // "0" | tonumber) > 1000)'
call $USAGE/ListUsageEvents
check "ListUsageEvents lists them" json --arg id "$USER" '.[0].events | length == 6 and all(.userId == $id and .outcome == "OUTCOME_COMPLETED" and .provider == "offline")'

echo "# credits"
call $CREDITS/GetQuotas
check "GetQuotas has one picture less" json '.[0] | .plan == "free" and (.quotas | map(select(.medium == "MEDIUM_IMAGE")) | .[0] | .limit == "10" and .remaining == "9")'
call $CREDITS/GetBalance
check "GetBalance has nothing to spend, and names the currency" json '.[0].balance | .availableMicros == null and .currencyCode == "USD"'
call $CREDITS/ListLedgerEntries
check "ListLedgerEntries has none: offline models cost nothing" json '.[0].entries == null'
call $CREDITS/GetSpending
check "GetSpending is for admins" failed_with 7

echo "# a restart"
OLD=$TOKEN
stop TERM
check "SIGTERM ends with exit code 0" same "$CODE" 0
start
TOKEN=''
call $USERS/Login '{"email":"grace@example.com","password":"anchors aweigh"}'
check "after the restart Login works" json --arg id "$USER" '.[0].user.id == $id'
TOKEN=$OLD
call $USERS/GetMe
check "the token from before still holds" json --arg id "$USER" '.[0].user.id == $id'
call $CHAT/ListMessages "{\"conversation_id\":\"$TALK\"}"
check "the conversation is still there" json '.[0].messages | length == 8'
call $CHAT/WatchGeneration "{\"generation_id\":\"$GENERATION\"}"
check "the finished reply can still be watched" same "$(value "$FOLD")" "$JOINED"
call $IMAGE/ListImages
check "ListImages still shows the picture" json '.[0].images | length == 1 and .[0].state == "STATE_COMPLETED"'
fetch "$(value '.[0].images[0].downloadUrl')" "$PLACE/again.png"
check "  with a URL that works, and the same bytes" same "$STATUS $(sha256sum <"$PLACE/again.png")" "200 $PICTURE_SHA"
fetch "$URL/${PICTURE#*://*/}" "$PLACE/again.png"
check "the URL from before works at the new port" same "$STATUS $(sha256sum <"$PLACE/again.png")" "200 $PICTURE_SHA"
timeout "$PATIENCE" "$GRPCURL" -plaintext -H "authorization: Bearer $TOKEN" \
    -d "{\"conversation_id\":\"$TALK\",\"text\":\"$STORY\"}" "$HOST" $CHAT/SendMessage >"$PLACE/running" 2>&1 &
READER=$!
for ((tries = 0; tries < 200; tries++)); do
    grep -q textDelta "$PLACE/running" && break
    sleep 0.02
done
stop INT
check "SIGINT with a reply under way ends with exit code 0" same "$CODE" 0
wait "$READER"
RESULT=$(<"$PLACE/running")
check "  and the reply comes to its end first" whole
check "no panic was logged" test -z "$(grep -i panic "$PLACE/server.log")"
start
for ((tries = 0; tries < 100; tries++)); do
    call $USAGE/ListUsageEvents
    json '.[0].events | length >= 7' && break
    sleep 0.2
done
check "what was used at the very end is counted, once, by the next start" json '.[0].events | length == 7 and (map(.id) | unique | length == 7)'
stop

echo "# the demo's last lines, on the demo's own data"
DATA=$PLACE/demo TOKEN=''
mkdir -p "$PLACE/guest"
RESULT=$(cd "$PLACE/guest" && timeout 120 "$ATELIER_BIN" demo --data "$DATA" 2>&1)
CODE=$?
check "the demo runs to its end" succeeded
check "  it drew a picture" is_png "$PLACE/guest/atelier-demo.png" 768 512
check "  it spoke" is_wave "$PLACE/guest/atelier-demo.wav"
check "  its chat remembers" has "Your name is Ada"
mapfile -t LINES_TOLD < <(tail -n 3 <<<"$RESULT")
start
for line in "${LINES_TOLD[@]}"; do
    line=${line#"${line%%[![:space:]]*}"}
    check "the demo tells a line for the shell: ${line:0:50}…" says '^grpcurl -plaintext (-d .* )?localhost:8080 ' "$line"
    RESULT=$(eval "${line//localhost:8080/$HOST}" 2>&1)
    CODE=$?
    check "  and it works" succeeded
    case $line in
    *Login) check "  and logs the demo's account in" json '.[0].tokens.accessToken | length > 100' ;;
    esac
done
stop
check "SIGTERM ends with exit code 0" same "$CODE" 0
finish
