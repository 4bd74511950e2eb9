#!/usr/bin/env bash
# Holds the running system against the description of its API, with schemathesis and all of its checks.
#
#     tests/schemathesis/run.sh [MORE ARGUMENTS FOR `schemathesis run`]
#
# Starts API, worker and mail catcher on free ports with an empty database, and stops them again. What is checked how,
# and why so, stands in schemathesis.toml and in hooks.py. Needs python3 with its venv; where no `schemathesis` is
# installed, it is put into a folder for temporary files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=4.32.5

place=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" || true
    fi
    rm -rf "$place"
}
trap stop EXIT

program=$(command -v schemathesis || true)
if [ -z "$program" ]; then
    home=${TMPDIR:-/tmp}/smart-notes-schemathesis-$version
    program=$home/bin/schemathesis
    if [ ! -x "$program" ]; then
        python3 -m venv "$home"
        "$home/bin/pip" install --quiet "schemathesis==$version"
    fi
fi

cargo build --quiet --package smart-notes-cli
binary=$PWD/target/debug/smart-notes

read -r api smtp inbox < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(socket.getsockname()[1] for socket in sockets))')
export SMART_NOTES_API=http://127.0.0.1:$api SMART_NOTES_INBOX=http://127.0.0.1:$inbox

# Limits would answer 429 instead of what is to be seen, and every route shall be there.
export SMART_NOTES__LIMITS__ENABLED=false SMART_NOTES__ACCOUNTS__OTP_LOGIN=true
export SMART_NOTES__PAYMENTS__STRIPE_SECRET=whsec_an_example_for_tests
export SMART_NOTES__PAYMENTS__REVENUECAT_SECRET=an_example_for_tests
export SMART_NOTES__NOTES__FREE_LIMIT=1000000
export DATABASE_URL=sqlite://$place/smart-notes.db
# In its own folder: a developer's .env is none of its business.
(cd "$place" && exec "$binary" dev --listen "127.0.0.1:$api" --smtp "127.0.0.1:$smtp" --inbox "127.0.0.1:$inbox") \
    >"$place/log" 2>&1 &
server=$!

for _ in $(seq 100); do
    if grep -q 'Smart Notes is running' "$place/log" || ! kill -0 "$server" 2>/dev/null; then break; fi
    sleep 0.1
done
if ! grep -q 'Smart Notes is running' "$place/log"; then
    cat "$place/log" >&2
    exit 1
fi

export PYTHONDONTWRITEBYTECODE=1
"$program" --config-file schemathesis.toml run "$SMART_NOTES_API/api/openapi.json" "$@"
