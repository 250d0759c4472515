#!/usr/bin/env bash
# Mails through a server that others wrote: aiosmtpd, on loopback. The tests of the users service that need it start and end
# it themselves.
#
# Needs AIOSMTPD_PYTHON, a Python that has aiosmtpd, ATELIER_BIN for what the scripts share, and cargo.
set -uo pipefail
: "${AIOSMTPD_PYTHON:?the path of a Python with aiosmtpd is needed in AIOSMTPD_PYTHON}"
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 2
# shellcheck source=lib/atelier.sh
source "$HERE/lib/atelier.sh"
ROOT=$(realpath "$HERE/../../../..")
# Cargo finds the tests built when ./test runs this; otherwise it has to build them first.
readonly BUILD_PATIENCE=420

(
    cd "$ROOT" || exit
    # Of the whole workspace, because for one crate alone Cargo would choose other features and build everything anew.
    exec timeout --kill-after=15 "$BUILD_PATIENCE" \
        "${CARGO:-cargo}" test --workspace --test rpc --locked -- --ignored smtp::
) >"$PLACE/mail" 2>&1
CODE=$? RESULT=$(tail -n 60 "$PLACE/mail")
check 'the tests came to their end' succeeded
# A test that no longer exists would end well too.
for name in a_mail_server_of_others_takes_what_it_may_and_is_asked_again_when_it_is_busy mails_wait_until_the_password_of_the_server_is_right; do
    check "${name//_/ }" grep -q "^test smtp::$name \.\.\. ok$" "$PLACE/mail"
done
finish
