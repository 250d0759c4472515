#!/usr/bin/env bash
# examples/python and examples/go as somebody who copies them: their stubs are made, and both serve beside a mesh of two
# processes and call it, with the tokens of their callers and with tokens of their own. Nothing in the tree is written to.
#
# Needs ATELIER_BIN, GRPCURL, BUF, EXAMPLES_PYTHON (with the example's packages and ruff), and curl, faketime, go, jq and python3.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2
# shellcheck source=lib/atelier.sh
source lib/atelier.sh
# shellcheck source=lib/split.sh
source lib/split.sh
: "${GRPCURL:?the path of grpcurl is needed in GRPCURL}"
: "${BUF:?the path of buf is needed in BUF}"
: "${EXAMPLES_PYTHON:?a Python with the packages of examples/python is needed in EXAMPLES_PYTHON}"
export BUF GOFLAGS=-mod=readonly PYTHONDONTWRITEBYTECODE=1
ROOT=$(realpath ../../../..)
LIB=$(realpath lib)
TREE=$PLACE/tree

readonly TELL=bedtime.v1.BedtimeService/TellStory RECORD=atelier.analytics.v1.AnalyticsService/RecordEvents
readonly IMAGE=atelier.text_image.v1.TextImageService VOICE=atelier.tts.v1.TtsService
readonly USERS=atelier.users.v1.UsersService USAGE=atelier.analytics.v1.AnalyticsService
TOKEN=''

# `call METHOD [JSON [HOST:PORT [ARGUMENT…]]]` in the name of TOKEN; by default at the edge.
call() {
    local method=$1 data=${2:-{\}} host=${3:-localhost:$EDGE_PORT} sent=()
    shift $(($# < 3 ? $# : 3))
    [[ -z $TOKEN ]] || sent=(-H "authorization: Bearer $TOKEN")
    run "$GRPCURL" -plaintext -format-error "${sent[@]}" "$@" -d "$data" "$host" "$method"
}
tell() { call $TELL "$1" "${2:-$BEDTIME}" -import-path "$TREE/examples/python/proto" -proto bedtime/v1/bedtime_service.proto; }
# At the analytics role itself, which has no reflection.
at_analytics() { call "$1" "$2" "localhost:$ANALYTICS_PORT" -protoset "$PLACE/contract.protoset"; }
# `archive JSON [URL]`: the answer is in RESULT, the status in STATUS.
archive() {
    local sent=()
    [[ -z $TOKEN ]] || sent=(-H "authorization: Bearer $TOKEN")
    run curl -sS -m "$PATIENCE" "${sent[@]}" -w '\n%{http_code}' -d "$1" "${2:-$ARCHIVER}/archives"
    STATUS=${RESULT##*$'\n'} RESULT=${RESULT%$'\n'*}
}
failed_with() { ((CODE != 0)) && json --argjson code "$1" '.[-1].code == $code'; }
detail() { says "^$1" "$("$PYTHON" "$LIB/errors.py" <<<"$RESULT")"; }
refused() { same "$STATUS $(value '.[0].error.reason')" "$1"; }
# `download FILE FILTER`: fetches what a filter finds in RESULT, and holds it against its SHA-256.
download() {
    local file=$1
    curl -sS --fail -m "$PATIENCE" -o "$file" "$(value "$2.url")" && same "$(sha256sum <"$file" | cut -d' ' -f1)" "$(value "$2.sha256")"
}
# `until_true COMMAND…`: waits for something that happens soon.
until_true() {
    local began=$SECONDS
    until "$@" >/dev/null 2>&1; do
        # Once more, for what it says.
        if ((SECONDS - began > PATIENCE)); then "$@" || return 1; fi
        sleep 0.1
    done
}
# `counted SOURCE NUMBER`: whether the account's events of a source are so many, each of another id.
counted() {
    call $USAGE/ListUsageEvents '{"page_size":1000}'
    json --arg source "$1" --argjson number "$2" '[.[0].events[]? | select(.source == $source) | .id] | length == $number and (unique | length) == $number'
}
# Whether the Python example has said so many acknowledgements.
acknowledged() { same "$(grep -cE 'usage event .*: (recorded|known already)$' "$PLACE/bedtime.log")" "$1"; }
# The services, with any settings that are given.
start_bedtime() {
    local name=$1
    shift
    launch "$name" env "ATELIER_SECRET=$MESH_SECRET" "ATELIER_PUBLIC_URL=$EDGE_URL" BEDTIME_LISTEN=127.0.0.1:0 \
        "ATELIER_ANALYTICS_URL=http://127.0.0.1:$ANALYTICS_PORT" "PYTHONPATH=$TREE/examples/python/stubs" "$@" \
        "$EXAMPLES_PYTHON" "$TREE/examples/python/serve.py"
    ADDRESS=${READY#ready: }
}
start_archiver() {
    local name=$1
    shift
    launch "$name" env "ATELIER_SECRET=$MESH_SECRET" "ATELIER_PUBLIC_URL=$EDGE_URL" ARCHIVER_LISTEN=127.0.0.1:0 \
        "ATELIER_ANALYTICS_URL=http://127.0.0.1:$ANALYTICS_PORT" "ARCHIVER_FOLDER=$PLACE/archive" "$@" "$PLACE/archiver"
    ADDRESS=${READY#ready: }
}
# `service_token AUDIENCE [SECRET]`: the Python example's, for a service `bedtime`.
service_token() {
    (cd "$TREE/examples/python" && "$EXAMPLES_PYTHON" -c '
import sys
from service_token import ServiceTokens
print(ServiceTokens(sys.argv[2].encode(), "bedtime").token(sys.argv[1]))' "$1" "${2:-$MESH_SECRET}")
}

echo "# the examples are whole"
mkdir "$TREE" && cp -r "$ROOT/proto" "$ROOT/buf.yaml" "$TREE/" && mkdir "$TREE/examples" || exit 1
for example in python go; do
    # Without what a developer's own runs have left there.
    (cd "$ROOT/examples" && tar -c --exclude=stubs --exclude=gen --exclude=__pycache__ --exclude=archive "$example") | tar -x -C "$TREE/examples"
done
check "Python: the stubs are made" env "PYTHON=$EXAMPLES_PYTHON" "$TREE/examples/python/generate"
check "Go: the stubs are made" "$TREE/examples/go/generate"
cd "$TREE/examples/python" || exit 1
check "Python: it compiles" "$EXAMPLES_PYTHON" -c 'import glob; [compile(open(name).read(), name, "exec") for name in glob.glob("*.py")]'
check "Python: no lint speaks" "$EXAMPLES_PYTHON" -m ruff check --no-cache
check "Python: it is formatted" "$EXAMPLES_PYTHON" -m ruff format --check --no-cache
cd "$TREE/examples/go" || exit 1
check "Go: it is formatted" test -z "$(gofmt -l ./*.go)"
check "Go: vet finds nothing" go vet ./...
check "Go: go.mod is tidy" go mod tidy -diff
check "Go: it builds" go build -o "$PLACE/archiver" .
cd "$PLACE" || exit 1

echo "# a token of twenty minutes ago"
start_split LD_PRELOAD="$(faketime -f -20m printenv LD_PRELOAD)" FAKETIME=-20m
call $USERS/Register '{"email":"ada@example.com","password":"correct horse"}'
EXPIRED=$(value '.[0].tokens.accessToken')
check "the mesh of twenty minutes ago gives one" test -n "$EXPIRED"
stop_split
check "  and ends with exit code 0" same "$CODE" 0

start_split
"$GRPCURL" -plaintext -protoset-out "$PLACE/contract.protoset" "localhost:$EDGE_PORT" describe $USAGE >/dev/null
"$GRPCURL" -plaintext -protoset-out "$PLACE/health.protoset" "localhost:$EDGE_PORT" describe grpc.health.v1.Health >/dev/null
start_bedtime bedtime
BEDTIME=$ADDRESS BEDTIME_PID=$LAUNCHED
start_archiver archiver
ARCHIVER=$ADDRESS ARCHIVER_PID=$LAUNCHED
call $USERS/Login '{"email":"ada@example.com","password":"correct horse"}'
ADA=$(value '.[0].tokens.accessToken')
call $USERS/CreateAnonymousSession
GUEST=$(value '.[0].tokens.accessToken')
call $USERS/Register '{"email":"grace@example.com","password":"anchors aweigh"}'
GRACE=$(value '.[0].tokens.accessToken')

echo "# Python: a story, its picture and its reading"
call grpc.health.v1.Health/Check '{"service":"bedtime.v1.BedtimeService"}' "$BEDTIME" -protoset "$PLACE/health.protoset"
check "bedtime is SERVING" json '.[0].status == "SERVING"'
TOKEN=$ADA
tell '{"theme":"a lighthouse","request_id":"one"}'
check "TellStory tells of the theme" json '.[0].text | test("lighthouse")'
check "the picture is there, with its SHA-256" download "$PLACE/picture.png" '.[0].picture'
check "  and is a whole PNG" "$PYTHON" "$LIB/media.py" png "$PLACE/picture.png"
check "the reading is there, with its SHA-256" download "$PLACE/reading.wav" '.[0].reading'
check "  and is a whole wave that is not silent" "$PYTHON" "$LIB/media.py" wave "$PLACE/reading.wav"
STORY=$RESULT
check "its event is counted" until_true counted bedtime 1
tell '{"theme":"a lighthouse","request_id":"one"}'
check "the same request_id tells the same story" json --argjson first "$STORY" '.[0] | .text == $first.text and .picture.sha256 == $first.picture.sha256 and .reading.sha256 == $first.reading.sha256'
check "  whose event is known already" until_true grep -q "known already" "$PLACE/bedtime.log"
check "  and counted once" counted bedtime 1
call $IMAGE/ListImages
check "the picture belongs to the account that asked" json '.[0].images | length == 1'
tell '{"theme":"a river","request_id":"one"}'
check "the mesh's FAILED_PRECONDITION comes through" failed_with 9
check "  with its reason" detail "ErrorInfo REQUEST_ID_REUSED atelier"
tell '{"request_id":"two"}'
check "no theme is INVALID_ARGUMENT" failed_with 3
tell '{"theme":"a river","request_id":"a b"}'
check "a bad request_id is INVALID_ARGUMENT" failed_with 3
call $TELL '{"theme":"the sea","request_id":"sea"}' "$BEDTIME" -import-path "$TREE/examples/python/proto" \
    -proto bedtime/v1/bedtime_service.proto -max-time 0.25
check "a deadline is kept" failed_with 4

echo "# Go: a generation that is followed over cut connections, and its file"
check "archiver is healthy" curl -sS --fail -m 10 "$ARCHIVER/healthz"
# No connection carries the whole stream, which has two early looks of some 20 and 27 KB: who began anew each time would
# never see its end.
launch cut "$PYTHON" "$LIB/cut.py" "$EDGE_PORT" 36000
start_archiver resuming "ATELIER_PUBLIC_URL=http://127.0.0.1:${READY#ready: }"
RESUMING=$ADDRESS RESUMING_PID=$LAUNCHED
# Its reader goes away after the first event, while it is painted.
GENERATION=$(timeout "$PATIENCE" "$GRPCURL" -plaintext -H "authorization: Bearer $TOKEN" \
    -d '{"prompt":"a storm","size":{"width":1600,"height":1600}}' "localhost:$EDGE_PORT" $IMAGE/GenerateImage | jq -nr 'first(inputs).event.generationId')
archive "{\"service\":\"text-image\",\"generation_id\":\"$GENERATION\"}" "$RESUMING"
check "the picture is archived" same "$STATUS" 200
check "  over connections that were cut" json --argjson cuts "$(grep -c '^cut$' "$PLACE/cut.log")" '.[0].cuts > 0 and .[0].cuts == $cuts'
FILE=$(value '.[0].path')
check "  the file has the SHA-256 of its name" same "$(sha256sum <"$FILE" | cut -d' ' -f1).png" "$(basename "$FILE")"
check "  and is a whole PNG" "$PYTHON" "$LIB/media.py" png "$FILE"
check "its event is counted" until_true counted archiver 1
archive "{\"service\":\"text-image\",\"generation_id\":\"$GENERATION\"}"
check "archived again, by another archiver, it is the same file" same "$STATUS $(value '.[0].path')" "200 $FILE"
check "  and is acknowledged again" until_true grep -q "acknowledged.*$GENERATION.*new=false" "$PLACE/archiver.log"
check "  and counted once" counted archiver 1
call $VOICE/ListConversions
READING=$(value '.[0].conversions[0].id')
archive "{\"service\":\"tts\",\"generation_id\":\"$READING\"}"
check "the story's reading is archived" same "$STATUS $(value '.[0].content_type')" "200 audio/wav"
check "  and is the same file" cmp "$(value '.[0].path')" "$PLACE/reading.wav"
archive '{"service":"tts","generation_id":"nothing"}'
check "what is not there is 404" same "$STATUS" 404
archive '{"service":"users","generation_id":"one"}'
check "another service is 400" same "$STATUS" 400
archive 'no json'
check "another body is 400" same "$STATUS" 400
check "no draft of a file is left" test -z "$(find "$PLACE/archive" -name '.draft-*')"

echo "# the tokens of their callers"
for kind in "MISSING '' 16" "INVALID ${ADA:0:-8}AAAAAAAA 16" "EXPIRED $EXPIRED 16"; do
    read -r reason TOKEN code <<<"${kind//\'/}"
    [[ -n ${code:-} ]] || { code=$TOKEN TOKEN=''; }
    tell '{"theme":"a lighthouse","request_id":"one"}'
    check "Python: TOKEN_$reason comes through" failed_with "$code"
    check "  with its reason" detail "ErrorInfo TOKEN_$reason atelier"
    archive "{\"service\":\"tts\",\"generation_id\":\"$READING\"}"
    check "Go: TOKEN_$reason comes through as 401" refused "401 TOKEN_$reason"
done
TOKEN=$GUEST
tell '{"theme":"a lighthouse","request_id":"one"}'
check "Python: a guest is PERMISSION_DENIED" failed_with 7
check "  because of the role" detail "ErrorInfo ROLE_TOO_LOW atelier"
archive "{\"service\":\"tts\",\"generation_id\":\"$READING\"}"
check "Go: a guest is 403" refused "403 ROLE_TOO_LOW"
TOKEN=$GRACE
archive "{\"service\":\"tts\",\"generation_id\":\"$READING\"}"
check "Go: what is another's is 404" same "$STATUS" 404

echo "# tokens of services"
EVENT="{\"events\":[{\"id\":\"by-hand\",\"source\":\"bedtime\",\"user_id\":\"nobody\",\"outcome\":\"OUTCOME_COMPLETED\",\"time\":\"$(date -u +%FT%TZ)\"}]}"
TOKEN=$(service_token analytics)
at_analytics $RECORD "$EVENT"
check "the Python example's token is good for its audience" json '.[0].recorded == 1'
at_analytics $RECORD "${EVENT/bedtime/tts}"
check "  but not for the events of another service" failed_with 7
at_analytics $USAGE/GetUsageSummary '{}'
check "  nor for a method of accounts" failed_with 7
check "    which says so" detail "ErrorInfo ACCOUNT_NEEDED atelier"
call $RECORD "$EVENT"
check "  nor through the edge" failed_with 7
check "    which says so" detail "ErrorInfo INTERNAL_ONLY atelier"
TOKEN=$(service_token users)
at_analytics $RECORD "$EVENT"
check "with another audience it is UNAUTHENTICATED" failed_with 16
check "  and its reason is TOKEN_INVALID" detail "ErrorInfo TOKEN_INVALID atelier"
TOKEN=$(service_token analytics "${MESH_SECRET/one/own}")
at_analytics $RECORD "$EVENT"
check "from another secret it is UNAUTHENTICATED" failed_with 16
check "  and its reason is TOKEN_INVALID" detail "ErrorInfo TOKEN_INVALID atelier"
TOKEN=$(faketime -f -20m bash -c "$(declare -f service_token); TREE='$TREE' EXAMPLES_PYTHON='$EXAMPLES_PYTHON' MESH_SECRET='$MESH_SECRET' service_token analytics")
at_analytics $RECORD "$EVENT"
check "of twenty minutes ago it is UNAUTHENTICATED" failed_with 16
check "  and its reason is TOKEN_EXPIRED" detail "ErrorInfo TOKEN_EXPIRED atelier"
TOKEN=$ADA
at_analytics $RECORD "$EVENT"
check "a token of an account is PERMISSION_DENIED" failed_with 7
check "  and its reason is INTERNAL_ONLY" detail "ErrorInfo INTERNAL_ONLY atelier"
TOKEN=''
at_analytics $RECORD "$EVENT"
check "none is UNAUTHENTICATED" failed_with 16
TOKEN=$ADA
for service in bedtime archiver; do
    "start_$service" "stranger-$service" "ATELIER_SECRET=${MESH_SECRET/one/own}"
    if [[ $service == bedtime ]]; then
        tell '{"theme":"a lighthouse","request_id":"one"}' "$ADDRESS"
        check "Python: with another secret its callers are still served" json '.[0].picture.url != null'
    else
        archive "{\"service\":\"tts\",\"generation_id\":\"$READING\"}" "$ADDRESS"
        check "Go: with another secret its callers are still served" same "$STATUS" 200
    fi
    check "  but its event is refused, and it says so" until_true grep -qi "usage event .*unauthenticated" "$PLACE/stranger-$service.log"
    end "$LAUNCHED"
    check "  and SIGTERM ends it with exit code 0" same "$CODE" 0
done

echo "# analytics goes away and comes back"
end "$ANALYTICS_PID" KILL 2>/dev/null
tell '{"theme":"a garden","request_id":"three"}'
check "Python: without analytics a story is told" json '.[0].text | test("garden")'
call $VOICE/ListConversions
GARDEN=$(value '.[0].conversions[0].id')
archive "{\"service\":\"tts\",\"generation_id\":\"$GARDEN\"}"
check "Go: without analytics a file is archived" same "$STATUS" 200
tell '{"theme":"a garden","request_id":"three"}'
check "Python: and the story is told again" json '.[0].text | test("garden")'
check "Python's events wait" acknowledged 2
check "  and so does Go's" test -z "$(grep "acknowledged.*$GARDEN" "$PLACE/archiver.log")"
start_analytics
check "both of Python's events are acknowledged once it is back" until_true acknowledged 4
check "  and counted as one" until_true counted bedtime 2
check "Go's is counted once" until_true counted archiver 3
check "  and stays so" test "$(sleep 2; counted bedtime 2 && counted archiver 3 && echo yes)" == yes

echo "# the end"
tell '{"theme":"an island","request_id":"four"}' &
TELLING=$!
# Far enough to be under way, wherever it stands when the signal comes.
under_way() { call $IMAGE/ListImages && json '.[0].images | any(.prompt | startswith("an island"))'; }
check "Python: a call is under way" until_true under_way
end "$BEDTIME_PID"
check "Python: SIGTERM with a call under way ends with exit code 0" same "$CODE" 0
wait "$TELLING"
check "  and that call to its end: its event is counted" until_true counted bedtime 3
end "$ARCHIVER_PID"
check "Go: SIGTERM ends with exit code 0" same "$CODE" 0
end "$RESUMING_PID"
check "Go: the other one too" same "$CODE" 0
check "no service fell over" test -z "$(grep -hiE 'traceback|panic|goroutine [0-9]+' "$PLACE"/*.log)"
stop_split
check "the mesh ends with exit code 0" same "$CODE" 0
finish
