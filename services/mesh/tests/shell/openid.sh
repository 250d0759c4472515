#!/usr/bin/env bash
# The running binary and an OpenID provider that others wrote: node-oidc-provider, on loopback. A browser of a few lines goes
# through the provider's own forms.
#
# Needs ATELIER_BIN, GRPCURL, OPENID_MODULES (a folder with oidc-provider in its node_modules), and jq, node and python3.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2
: "${GRPCURL:?the path of grpcurl is needed in GRPCURL}"
: "${OPENID_MODULES:?a folder with oidc-provider in its node_modules is needed in OPENID_MODULES}"
OPENID=$(realpath ../openid)
# shellcheck source=lib/atelier.sh
source lib/atelier.sh

readonly USERS=atelier.users.v1.UsersService
readonly CLIENT_ID=atelier CLIENT_SECRET='a secret, with & and % in it'
readonly BACK=http://127.0.0.1:9/back PASSWORD='a long enough password'
PROVIDER_PID='' ISSUER='' TOKEN=''

# The provider ends with the script too, whatever way it ends.
leave_all() {
    local code=$?
    stop_provider
    if ((FAILED > 0)) && [[ -s $PLACE/provider.log ]]; then
        printf 'the end of what the provider said:\n'
        tail -n 15 "$PLACE/provider.log" | cut -c1-400 | sed 's/^/  | /'
    fi
    (exit "$code")
    leave
}
trap leave_all EXIT

# node finds modules from where a program lies.
mkdir "$PLACE/openid"
cp "$OPENID"/*.js "$OPENID/package.json" "$PLACE/openid/"
ln -s "$(realpath "$OPENID_MODULES")/node_modules" "$PLACE/openid/node_modules"

start_provider() {
    local began=$SECONDS
    node "$PLACE/openid/provider.js" "$CLIENT_ID" "$CLIENT_SECRET" "$BACK" \
        >"$PLACE/provider.out" 2>"$PLACE/provider.log" </dev/null &
    PROVIDER_PID=$!
    until ISSUER=$(grep -m1 '^http://' "$PLACE/provider.out"); do
        if ! kill -0 "$PROVIDER_PID" 2>/dev/null || ((SECONDS - began > 120)); then
            printf 'the provider did not start within %s s:\n' $((SECONDS - began)) >&2
            tail -n 30 "$PLACE/provider.log" >&2
            exit 1
        fi
        sleep 0.1
    done
}
stop_provider() {
    [[ -n $PROVIDER_PID ]] || return 0
    kill -s KILL "$PROVIDER_PID" 2>/dev/null
    wait "$PROVIDER_PID" 2>/dev/null
    PROVIDER_PID=''
}

# `call METHOD MESSAGE`: a call through the edge, in the name of TOKEN where there is one.
call() {
    local token=()
    [[ -z $TOKEN ]] || token=(-H "authorization: Bearer $TOKEN")
    run "$GRPCURL" -plaintext -max-time 50 "${token[@]}" -d "$2" "$HOST" "$USERS/$1"
}
# Whether the last call was refused for this reason.
refused() { [[ $CODE != 0 ]] && has "\"reason\": \"$1\""; }

# Begins a sign-in: its URL is in AUTHORIZATION, its token in SIGN_IN.
begin() {
    call StartSignIn "{\"provider\": \"dev-id\", \"redirect_uri\": \"$BACK\"}"
    AUTHORIZATION=$(value 'first.authorizationUrl') SIGN_IN=$(value 'first.signInToken')
}
# `browse NAME`: what the browser does with AUTHORIZATION. What comes back is in STATE and GRANT.
browse() {
    run node "$PLACE/openid/browser.js" "$AUTHORIZATION" "$BACK" "$1"
    STATE=$(value 'first.state') GRANT=$(value 'first.code')
}
# `returned [PASSWORD]`: what completes the sign-in.
returned() {
    jq -nc --arg token "$SIGN_IN" --arg state "$STATE" --arg code "$GRANT" --arg password "${1:-}" \
        '{sign_in_token: $token, state: $state, code: $code} + if $password == "" then {} else {password: $password} end'
}
# `go NAME`: begins, comes back, and completes.
go() {
    begin
    browse "$1"
    call CompleteSignIn "$(returned)"
}
# `register NAME`: an account with a password; TOKEN is its token, ACCOUNT its id.
register() {
    TOKEN=''
    call Register "{\"email\": \"$1@example.org\", \"password\": \"$PASSWORD\"}"
    ACCOUNT=$(value 'first.user.id') TOKEN=$(value 'first.tokens.accessToken')
}

echo "# settings"
# `starts NAME=VALUE…`: a start with these settings alone, which is to fail.
starts() { run env "$@" timeout "$PATIENCE" "$ATELIER_BIN" --data "$PLACE/half" --port 0 --admin-port 0; }
starts ATELIER_OIDC_ISSUER=http://id.example ATELIER_OIDC_CLIENT_ID=a ATELIER_OIDC_REDIRECT_URIS=https://a.example
check 'an issuer without TLS is refused' has 'ATELIER_OIDC_ISSUER: '
check '  with exit code 64' same "$CODE" 64
starts ATELIER_OIDC_ISSUER=https://id.example ATELIER_OIDC_REDIRECT_URIS=https://a.example
check 'half a provider is refused' has 'ATELIER_OIDC_CLIENT_ID: must be set'

start_provider
export ATELIER_LOG=debug ATELIER_OIDC_ISSUER=$ISSUER ATELIER_OIDC_CLIENT_ID=$CLIENT_ID
export ATELIER_OIDC_CLIENT_SECRET=$CLIENT_SECRET ATELIER_OIDC_NAME='Dev ID' ATELIER_OIDC_REDIRECT_URIS=$BACK
start

echo "# somebody new"
call ListSignInProviders '{}'
check 'the provider is told' json --arg issuer "$ISSUER" \
    'first.providers == [{id: "dev-id", displayName: "Dev ID", issuer: $issuer}]'
call StartSignIn '{"provider": "dev-id", "redirect_uri": "https://evil.example/back"}'
check 'browsers are sent back nowhere else' refused REDIRECT_URI_UNKNOWN
begin
check 'a sign-in begins' test -n "$SIGN_IN"
browse ana
check 'the provider sends the browser back' test -n "$GRANT"
call CompleteSignIn "$(returned)"
check 'it makes an account' json 'first | .created and .user.email == "ana@example.org" and .user.emailVerified
    and .user.displayName == "The one called ana" and .user.role == "ROLE_USER"'
ANA=$(value 'first.user.id') TOKEN=$(value 'first.tokens.accessToken')
call CompleteSignIn "$(returned)"
check 'what completed it is good once' refused SIGN_IN_INVALID
call GetMe '{}'
check 'its token is good' json --arg id "$ANA" 'first.user.id == $id'
call ListIdentities '{}'
check 'its identity is listed' json --arg issuer "$ISSUER" \
    'first.identities | length == 1 and .[0].issuer == $issuer and .[0].email == "ana@example.org"'
ANAS=$TOKEN TOKEN=''
go ana
check 'the second time is the same account' json --arg id "$ANA" 'first | .user.id == $id and (.created // false | not)'
TOKEN=$ANAS
call ChangePassword "{\"current_password\": \"x\", \"new_password\": \"$PASSWORD\"}"
check 'it has no password to change' refused NO_PASSWORD
call ListIdentities '{}'
call UnlinkIdentity "$(value 'first.identities[0] | {identity_id: .id}')"
check 'its last way to sign in stays' refused LAST_SIGN_IN
TOKEN=''
call Login '{"email": "ana@example.org", "password": "x"}'
check 'no password signs it in' refused INVALID_CREDENTIALS

echo "# what does not belong together"
begin
browse eve
EVES_SIGN_IN=$SIGN_IN EVES_STATE=$STATE EVES_GRANT=$GRANT
begin
browse ana
MINE=$(returned)
STATE=$EVES_STATE
call CompleteSignIn "$(returned)"
check 'another state is refused' refused SIGN_IN_INVALID
SIGN_IN=$EVES_SIGN_IN STATE=$EVES_STATE
call CompleteSignIn "$(returned)"
check 'the code of another sign-in is refused' refused PROVIDER_REFUSED
SIGN_IN=$EVES_SIGN_IN STATE=$EVES_STATE GRANT=$EVES_GRANT
call CompleteSignIn "$(returned)"
check 'and that sign-in is over' refused SIGN_IN_INVALID
call CompleteSignIn "$MINE"
check 'and the one whose code it was goes on' json --arg id "$ANA" 'first.user.id == $id'
begin
AUTHORIZATION=$(sed -E 's/([?&]nonce=)[^&]*/\1another/' <<<"$AUTHORIZATION")
browse ana
call CompleteSignIn "$(returned)"
check 'an ID token with another nonce is refused' refused PROVIDER_REFUSED

echo "# accounts with a password"
register new-bob
BOB=$ACCOUNT TOKEN=''
go new-bob
check 'an e-mail that is not verified takes its password' refused PASSWORD_REQUIRED
call CompleteSignIn "$(returned 'a wrong password')"
check 'a wrong one is refused' refused INVALID_CREDENTIALS
call CompleteSignIn "$(returned "$PASSWORD")"
check 'the right one signs in' json --arg id "$BOB" 'first | .user.id == $id and (.created // false | not)'
go new-bob
check 'and from then on without it' json --arg id "$BOB" 'first.user.id == $id'
register carol
CAROL=$ACCOUNT
begin
browse carols-work
call CompleteSignIn "$(returned)"
check 'what an account began signs nobody in' refused SIGN_IN_INVALID
call LinkIdentity "$(returned)"
check 'it links' json 'first.identity.email == "carols-work@example.org"'
IDENTITY=$(value 'first.identity.id') CAROLS=$TOKEN TOKEN=''
go carols-work
check 'what is linked signs in' json --arg id "$CAROL" 'first.user.id == $id'
TOKEN=$ANAS
begin
browse carols-work
call LinkIdentity "$(returned)"
check 'it is linked to no other' refused IDENTITY_TAKEN
TOKEN=$CAROLS
call UnlinkIdentity "{\"identity_id\": \"$IDENTITY\"}"
check 'unlinking ends the other session' json 'first.revokedSessions == 1'
TOKEN=''
go carols-work
check 'what is unlinked is somebody new' json --arg id "$CAROL" 'first | .created and .user.id != $id'

echo "# somebody anonymous"
call CreateAnonymousSession '{}'
NOBODY=$(value 'first.user.id') TOKEN=$(value 'first.tokens.accessToken')
go dora
check 'keeps the account' json --arg id "$NOBODY" 'first | .created and .user.id == $id and .user.email == "dora@example.org"'
TOKEN=''

echo "# the provider away"
begin
browse ana
stop_provider
call CompleteSignIn "$(returned)"
check 'a sign-in is not completed' refused PROVIDER_AWAY
stop
check 'the server ends well' same "$CODE" 0
start
begin
check 'a server starts without it, and none begins' refused PROVIDER_AWAY
call Login "{\"email\": \"carol@example.org\", \"password\": \"$PASSWORD\"}"
check 'passwords sign in as ever' json --arg id "$CAROL" 'first.user.id == $id'
# Neither what the server said nor what it keeps has the secret. What it said must have been something.
secret_is_kept() { grep -rqaF -- "$CLIENT_SECRET" "$PLACE/server.log" "$PLACE/server.out" "$DATA"; }
check 'the server said something' grep -q '^ready: ' "$PLACE/server.log"
if secret_is_kept; then HIDDEN=no; else HIDDEN=yes; fi
check 'the secret is in nothing that it says or keeps' same "$HIDDEN" yes
stop
check 'the server ends well' same "$CODE" 0
finish
