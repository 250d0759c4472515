#!/usr/bin/env bash
# Tries the service against a mail server that others wrote: installs it into a folder of its own, under exact versions,
# and runs the tests that need it. Needs cargo and python3; the folder can be given as the first argument, to be kept.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PLACE=${1:-$(mktemp -d "${TMPDIR:-/tmp}/atelier-mail.XXXXXX")}
[[ -n ${1:-} ]] || trap 'rm -rf "$PLACE"' EXIT
if [[ ! -x $PLACE/bin/python ]]; then
    python3 -m venv "$PLACE"
    "$PLACE/bin/pip" install --quiet --disable-pip-version-check -r "$HERE/constraints.txt"
fi
cd "$HERE/../../../.."
AIOSMTPD_PYTHON=$PLACE/bin/python cargo test -p atelier-users --test rpc smtp:: -- --ignored
