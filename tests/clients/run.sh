#!/usr/bin/env bash
# Makes clients of the API's description with @hey-api/openapi-ts and openapi-python-client, and lets each of them
# register, log in, make a note and meet a refusal, at a running system.
#
#     tests/clients/run.sh
#
# Starts API, worker and mail catcher on free ports with an empty database, and stops them again. Any warning of a
# generator fails. Needs python3 with its venv, node with its npm, and their registries.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

python_client=0.29.1 ruff=0.14.6 openapi_ts=0.95.0 typescript=5.9.3 esbuild=0.25.12

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

cargo build --quiet --package smart-notes-cli
binary=$PWD/target/debug/smart-notes

read -r api smtp inbox < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(socket.getsockname()[1] for socket in sockets))')
export SMART_NOTES_API=http://127.0.0.1:$api SMART_NOTES_INBOX=http://127.0.0.1:$inbox
export SMART_NOTES__ACCOUNTS__OTP_LOGIN=true DATABASE_URL=sqlite://$place/smart-notes.db
export SMART_NOTES__PAYMENTS__STRIPE_SECRET=whsec_an_example_for_tests
export SMART_NOTES__PAYMENTS__REVENUECAT_SECRET=an_example_for_tests

cd "$place"
"$binary" dev --listen "127.0.0.1:$api" --smtp "127.0.0.1:$smtp" --inbox "127.0.0.1:$inbox" >log 2>&1 &
server=$!
for _ in $(seq 100); do
    if grep -q 'Smart Notes is running' log || ! kill -0 "$server" 2>/dev/null; then break; fi
    sleep 0.1
done
grep -q 'Smart Notes is running' log || { cat log >&2; exit 1; }

# quiet WORD COMMAND...: fails where the command does, or prints the word.
quiet() {
    local word=$1 printed
    shift
    printed=$("$@" </dev/null 2>&1) || { echo "$printed" >&2; exit 1; }
    if grep -qi "$word" <<<"$printed"; then
        echo "$printed" >&2
        exit 1
    fi
}

export PYTHONDONTWRITEBYTECODE=1
python3 -m venv python
python/bin/pip install --quiet "openapi-python-client==$python_client" "ruff==$ruff"
PATH=$PWD/python/bin:$PATH quiet warning openapi-python-client generate --url "$SMART_NOTES_API/api/openapi.json"
PYTHONPATH=smart-notes-client python/bin/python -c '
import importlib, pkgutil, smart_notes_client as made
for module in pkgutil.walk_packages(made.__path__, "smart_notes_client."):
    importlib.import_module(module.name)'
PYTHONPATH=smart-notes-client python/bin/python "$here/client.py"

mkdir typescript && cd typescript
cat >package.json <<<'{"private": true, "type": "module"}'
npm install --silent --no-audit --no-fund "@hey-api/openapi-ts@$openapi_ts" \
    "typescript@$typescript" "esbuild@$esbuild" @types/node@22
quiet warn npx openapi-ts --input "$SMART_NOTES_API/api/openapi.json" --output api
cp "$here/client.ts" .
npx tsc --strict --noEmit --module esnext --moduleResolution bundler --target es2022 client.ts </dev/null
npx esbuild client.ts --log-level=warning --bundle --platform=node --format=esm --outfile=client.mjs </dev/null
INBOX_PY=$here/inbox.py node client.mjs
