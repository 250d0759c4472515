#!/usr/bin/env bash
# The running binary on an S3 that others wrote: moto's server, on loopback, checking every signature. First the kit's
# own contract of a store against it, then pictures and speech whose objects are there, seen through boto3 as well; links
# through the edge and presigned ones; a restart; a deletion; a wrong key; and a store that is away and comes.
#
# Needs ATELIER_BIN, GRPCURL, MOTO (with its Python beside it), MOTO_BUCKET, and cargo, curl, jq and python3.
set -uo pipefail

: "${GRPCURL:?the path of grpcurl is needed in GRPCURL}"
: "${MOTO:?the path of moto_server is needed in MOTO}" "${MOTO_BUCKET:?the path of tests/moto/bucket.py, in MOTO_BUCKET}"
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 2
# shellcheck source=lib/atelier.sh
source "$HERE/lib/atelier.sh"
ROOT=$(realpath "$HERE/../../../..")

readonly IMAGE=text_image.v1.TextImageService VOICE=tts.v1.TtsService USERS=users.v1.UsersService
readonly PICTURES=atelier-text-image SOUNDS=atelier-tts
readonly ACCOUNT='{"email": "ana@example.org", "password": "a long enough password"}'
# Cargo finds the test built when ./test runs this; otherwise it has to build it first.
readonly BUILD_PATIENCE=420
MOTO_PID='' MOTO_URL='' TOKEN=''

# moto ends with the script too, whatever way it ends.
leave_all() {
    local code=$?
    stop_moto
    if ((FAILED > 0)) && [[ -s $PLACE/moto.log ]]; then
        printf 'the end of what moto said:\n'
        tail -n 30 "$PLACE/moto.log" | cut -c1-400 | sed 's/^/  | /'
    fi
    (exit "$code")
    leave
}
trap leave_all EXIT

stop_moto() {
    [[ -n $MOTO_PID ]] || return 0
    kill -s KILL "$MOTO_PID" 2>/dev/null
    wait "$MOTO_PID" 2>/dev/null
    MOTO_PID=''
}

# `start_moto [PORT]`: on this port, or on a free one; MOTO_URL is then its URL. It knows nothing of an earlier one's.
start_moto() {
    local port=${1:-} began=$SECONDS
    [[ -n $port ]] || port=$(free_port) || exit 1
    MOTO_URL=http://127.0.0.1:$port
    (
        cd "$PLACE" || exit
        unset "${!AWS_@}"
        exec "$MOTO" --host 127.0.0.1 --port "$port"
    ) >>"$PLACE/moto.log" 2>&1 </dev/null &
    MOTO_PID=$!
    until curl -sf -m 5 -o "$PLACE/moto.html" "$MOTO_URL/moto-api/"; do
        if ! kill -0 "$MOTO_PID" 2>/dev/null || ((SECONDS - began > PATIENCE)); then
            printf 'moto did not start within %s s:\n' $((SECONDS - began)) >&2
            tail -n 30 "$PLACE/moto.log" >&2
            exit 1
        fi
        sleep 0.2
    done
}

# moto's S3 as boto3 finds it, with the account's keys, which go to nobody else by these names.
bucket() {
    AWS_ACCESS_KEY_ID=${KEYS[0]:-} AWS_SECRET_ACCESS_KEY=${KEYS[1]:-} \
        timeout --kill-after=5 "$PATIENCE" "$(dirname "$MOTO")/python" "$MOTO_BUCKET" "$MOTO_URL" "$@"
}
# moto can check the signatures of requests. It cannot check those of links, and would refuse every one of them.
signatures() { bucket signatures "$1" || exit 1; }

# `call METHOD MESSAGE`: a call through the edge, as the registered account once there is one.
call() {
    local sent=()
    [[ -z $TOKEN ]] || sent=(-H "authorization: Bearer $TOKEN")
    run "$GRPCURL" -plaintext -max-time 50 "${sent[@]}" -d "$2" "$HOST" "atelier.$1"
}
paint() {
    call $IMAGE/GenerateImage '{"prompt": "a lighthouse", "size": {"width": 64, "height": 64}, "model": "atelier-painter"}'
}
speak() { call $VOICE/Synthesize '{"text": "The boats come home."}'; }
whole() { json 'last.event | has("completed")'; }
failed_for() {
    json --arg reason "$1" --argjson retryable "$2" \
        'last.event.failed | .reason == $reason and (.retryable // false) == $retryable'
}
# Takes the artifact of the last answer: ID of its generation, LINK, SUM and SIZE.
artifact() {
    ID=$(value 'first.event.generationId')
    LINK=$(value 'map(.event.artifact // empty) | first | .url')
    SUM=$(value 'map(.event.artifact // empty) | first | .sha256')
    SIZE=$(value 'map(.event.artifact // empty) | first | .sizeBytes')
}

# `fetch LINK [CURL ARGUMENT…]`: STATUS, the body in BODY, and the answer's head in RESULT.
BODY=$PLACE/body
fetch() {
    local link=$1
    shift
    rm -f "$BODY"
    run curl -sS -m 30 -D - -o "$BODY" -w '%{http_code}' "$@" "$link"
    STATUS=${RESULT##*$'\n'}
}
# Whether what was fetched is what was told: byte by byte, and of this media type.
fetched() {
    same "$STATUS" 200 && same "$(stat -c %s "$BODY")" "$2" && same "$(sha256sum "$BODY" | cut -d' ' -f1)" "$1" &&
        says "^content-type: $3" "$RESULT"
}
# `piece LINK SIZE`: its bytes 4 to 13, asked for as a range, when it has been fetched whole before.
piece() {
    cp "$BODY" "$PLACE/whole" || return 1
    fetch "$1" -r 4-13
    same "$STATUS" 206 && says "^content-range: bytes 4-13/$2" "$RESULT" &&
        cmp "$BODY" <(tail -c +5 "$PLACE/whole" | head -c 10)
}
through_edge() { [[ $1 == "$URL"/objects/"$2"/* ]] || { printf 'it leads elsewhere: %s\n' "$1" && return 1; }; }

# `kept BUCKET ID END SIZE SUM TYPE`: boto3 finds an object of this request whose key ends like that, and it is this one.
kept() {
    local key size type
    read -r key size type < <(bucket keys "$1" | grep -F "/$2/" | grep -E "$3 [0-9]+ [^ ]+\$")
    [[ -n $key ]] || { printf 'no such object\n' && bucket keys "$1" && return 1; }
    same "$size $type" "$4 $6" && same "$(bucket sum "$1" "$key")" "$5"
}
# Whether nothing of a request is in a bucket any more, within a while; the bucket itself must be there.
cleared() {
    local keys began=$SECONDS
    while keys=$(bucket keys "$1") && grep -qF -- "$2" <<<"$keys"; do
        if ((SECONDS - began > 20)); then
            printf 'still there:\n%s\n' "$keys"
            return 1
        fi
        sleep 0.5
    done
    [[ -n $keys ]] || { printf 'the bucket cannot be read, or is empty\n' && return 1; }
}
# Neither what the server said nor what it keeps has the secret key. What it said must have been something.
no_key() {
    local place
    grep -q '^ready: ' "$PLACE/server.log" || { printf 'the server said nothing\n' && return 1; }
    for place in "$PLACE/server.log" "$PLACE/server.out" "$DATA"; do
        ! grep -rqaF -- "$ATELIER_S3_SECRET_KEY" "$place" || { printf 'the key is in %s\n' "$place" && return 1; }
    done
}
# The kit's suite must have run: a name that no test has would end well too.
contract_holds() {
    (
        cd "$ROOT" || exit
        export ATELIER_TEST_S3=$MOTO_URL ATELIER_TEST_S3_ACCESS_KEY=${KEYS[0]} ATELIER_TEST_S3_SECRET_KEY=${KEYS[1]}
        # Of the whole workspace, because for one crate alone Cargo would choose other features and build everything anew.
        exec timeout --kill-after=15 "$BUILD_PATIENCE" \
            "${CARGO:-cargo}" test --workspace --lib --locked -- --ignored an_s3_at_hand_keeps_the_contract
    ) >"$PLACE/contract" 2>&1
    local code=$?
    tail -n 60 "$PLACE/contract"
    ((code == 0)) && grep -q '^test .*an_s3_at_hand_keeps_the_contract \.\.\. ok$' "$PLACE/contract"
}

start_moto
read -r -a KEYS < <(bucket account)
check 'moto makes an account with keys' same "${#KEYS[@]}" 2

echo "# the kit's contract of a store"
# It fetches a link too, so no signature is checked yet.
check 'the contract holds on moto' contract_holds

echo '# links through the edge'
signatures on
export ATELIER_LOG=debug ATELIER_S3_ENDPOINT=$MOTO_URL ATELIER_S3_ACCESS_KEY=${KEYS[0]} ATELIER_S3_SECRET_KEY=${KEYS[1]}
start
call $USERS/Register "$ACCOUNT"
check 'an account is registered' succeeded
TOKEN=$(value 'first.tokens.accessToken')
paint
check 'a picture is made' whole
artifact
PICTURE=$ID PICTURE_SUM=$SUM PICTURE_SIZE=$SIZE
check 'its link leads through the edge' through_edge "$LINK" text-image
fetch "$LINK"
check 'the link gives what was told of it' fetched "$SUM" "$SIZE" image/png
check 'and a piece of it' piece "$LINK" "$SIZE"
check 'boto3 finds the same in the bucket' kept "$PICTURES" "$ID" image/original.png "$SIZE" "$SUM" image/png
check 'and what was asked for beside it' says "/$ID/input.json [0-9]+ application/json" "$(bucket keys "$PICTURES")"
fetch "${LINK/signature=/signature=0}"
check 'a link that was tampered with gives nothing' same "$STATUS" 403
speak
check 'speech is made' whole
artifact
SPEECH=$ID SPEECH_SUM=$SUM SPEECH_SIZE=$SIZE
check 'its link leads through the edge' through_edge "$LINK" tts
fetch "$LINK"
check 'the link gives what was told of it' fetched "$SUM" "$SIZE" audio/wav
check 'and a piece of it' piece "$LINK" "$SIZE"
check 'boto3 finds the same in the bucket' kept "$SOUNDS" "$ID" '[.]wav' "$SIZE" "$SUM" audio/wav
stop
check 'the server ends well' same "$CODE" 0
start
call $IMAGE/GetImage "{\"image_id\": \"$PICTURE\"}"
check 'after a restart the picture is as it was' json --arg sum "$PICTURE_SUM" --arg size "$PICTURE_SIZE" \
    'first.image | .sha256 == $sum and .sizeBytes == $size'
LINK=$(value 'first.image.downloadUrl')
check 'its new link leads through the edge' through_edge "$LINK" text-image
fetch "$LINK"
check 'the link gives the same' fetched "$PICTURE_SUM" "$PICTURE_SIZE" image/png
paint
artifact
fetch "$LINK"
check 'another picture is made, and can be had' fetched "$SUM" "$SIZE" image/png
call $IMAGE/DeleteImage "{\"image_id\": \"$ID\"}"
check 'it is deleted' succeeded
check 'its objects go away, and others stay' cleared "$PICTURES" "/$ID/"
fetch "$LINK"
check 'its link gives nothing any more' same "$STATUS" 404
check 'the first picture stays' kept "$PICTURES" "$PICTURE" image/original.png "$PICTURE_SIZE" "$PICTURE_SUM" image/png
check 'the secret key is in nothing that the server says or keeps' no_key
stop
check 'the server ends well' same "$CODE" 0

echo '# presigned links'
export ATELIER_S3_PUBLIC_URL=$MOTO_URL
start
paint
check 'a picture is made' whole
artifact
check 'its link is signed as botocore would, for moto'\''s address' bucket signed "$LINK"
signatures off
fetch "$LINK"
check 'the link gives what was told of it' fetched "$SUM" "$SIZE" image/png
check 'and a piece of it' piece "$LINK" "$SIZE"
signatures on
speak
check 'speech is made' whole
artifact
check 'its link is signed as botocore would, for moto'\''s address' bucket signed "$LINK"
signatures off
fetch "$LINK"
check 'the link gives what was told of it' fetched "$SUM" "$SIZE" audio/wav
signatures on
stop
start
call $IMAGE/GetImage "{\"image_id\": \"$PICTURE\"}"
LINK=$(value 'first.image.downloadUrl')
check 'after a restart the first picture'\''s link is presigned too' bucket signed "$LINK"
signatures off
fetch "$LINK"
check 'the link gives the first picture' fetched "$PICTURE_SUM" "$PICTURE_SIZE" image/png
call $VOICE/GetConversion "{\"conversion_id\": \"$SPEECH\"}"
LINK=$(value 'first.conversion.downloadUrl')
check 'so is the first speech'\''s' bucket signed "$LINK"
fetch "$LINK"
check 'the link gives the first speech' fetched "$SPEECH_SUM" "$SPEECH_SIZE" audio/wav
signatures on
call $IMAGE/DeleteImage "{\"image_id\": \"$PICTURE\"}"
check 'the first picture is deleted' succeeded
check 'its objects go away, and others stay' cleared "$PICTURES" "/$PICTURE/"
signatures off
fetch "$LINK"
check 'the speech stays' same "$STATUS" 200
stop
check 'the server ends well' same "$CODE" 0
unset ATELIER_S3_PUBLIC_URL

echo '# a wrong secret key'
signatures on
ATELIER_S3_SECRET_KEY=a-key-of-nobody
start
paint
# The operator's mistake, told to the operator; the caller learns nothing of the store.
check 'a picture fails for a reason of ours' failed_for INTERNAL true
check 'the log says what the store said' grep -qE 'ERROR .*a generation failed inside.*(SignatureDoesNotMatch|403)' "$PLACE/server.log"
check 'the caller is not told' has_not Signature
check 'nothing of it is in the bucket' cleared "$PICTURES" "/$(value 'first.event.generationId')/"
stop
ATELIER_S3_SECRET_KEY=${KEYS[1]}

echo '# a store that is away, and comes'
stop_moto
start
fetch "$ADMIN/readyz"
check 'the server starts without its store, and is ready' same "$STATUS" 200
paint
check 'a picture fails, and may be tried again' failed_for OBJECTS_UNAVAILABLE true
speak
check 'so does speech' failed_for OBJECTS_UNAVAILABLE true
start_moto "${MOTO_URL##*:}"
paint
check 'a picture is made as soon as the store is there' whole
artifact
fetch "$LINK"
check 'its link gives what was told of it' fetched "$SUM" "$SIZE" image/png
speak
check 'so is speech' whole
stop_moto
fetch "$LINK"
check 'while the store is away the link says so, and when to ask again' says '^retry-after: [0-9]+' "$RESULT"
check 'its status is 503' same "$STATUS" 503
paint
check 'a picture fails, and may be tried again' failed_for OBJECTS_UNAVAILABLE true
stop
check 'the server ends well' same "$CODE" 0
finish
