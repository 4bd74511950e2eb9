#!/usr/bin/env bash
# Holds the worker against a real Postfix: STARTTLS, TLS from the first byte, SASL, refusals, a stop and a start.
#
#     tests/postfix/run.sh
#
# As root on Debian, with what the line below names. Makes a throw-away instance of Postfix in a folder for temporary
# files, beside any other that runs there: on loopback only, on free ports, with a certificate and a user of its own,
# delivering into mailboxes in the same folder and nowhere else. What is then done with it stands in stories.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

need="apt-get install postfix sasl2-bin libsasl2-modules libsasl2-modules-db openssl python3"
if [ "$(id -u)" != 0 ]; then
    echo "run this as root: Postfix starts as root and then runs as its own users" >&2
    exit 1
fi
for program in postfix saslpasswd2 openssl python3; do
    command -v "$program" >/dev/null || { echo "$program is missing: $need" >&2; exit 1; }
done

# Postfix's users must be able to enter it.
place=$(mktemp -d)
chmod 755 "$place"
instance=$place/postfix
stop() {
    status=$?
    postfix -c "$instance" stop >/dev/null 2>&1 || true
    if [ "$status" != 0 ]; then
        tail --lines 20 "$place"/*.log >&2 || true
    fi
    rm -rf "$place"
}
trap stop EXIT

read -r submission smtps < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(socket.getsockname()[1] for socket in sockets))')

# An authority, and a certificate for localhost that it has signed.
authority() { openssl "$@" 2>/dev/null; }
authority req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=an authority for tests" \
    -keyout "$place/ca.key" -out "$place/ca.pem"
authority req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
    -keyout "$place/relay.key" -out "$place/relay.csr"
authority x509 -req -in "$place/relay.csr" -CA "$place/ca.pem" -CAkey "$place/ca.key" -CAcreateserial -days 2 \
    -extfile <(echo subjectAltName=DNS:localhost) -out "$place/relay.pem"

mkdir "$instance" "$instance/sasl" "$place/queue" "$place/data" "$place/mail"
chown postfix "$place/data"
chown nobody "$place/mail"

# The user that the worker logs in as.
cat >"$instance/sasl/smtpd.conf" <<END
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: $instance/users
mech_list: PLAIN LOGIN
END
echo correct-horse | saslpasswd2 -p -c -f "$instance/users" -u notes.test worker
chown postfix "$instance/users"

# Mailboxes of people.test; there are no others.
for name in ada bob eve ivy joy kim sam tom; do
    for who in "$name" "$name"{0..19}; do
        echo "$who@people.test $who/"
    done
done >"$instance/mailboxes"

cat >"$instance/main.cf" <<END
compatibility_level = 3.6
queue_directory = $place/queue
data_directory = $place/data
maillog_file = $place/mail.log
maillog_file_prefixes = $place
myhostname = relay.notes.test
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks =
mydestination =
alias_maps =
alias_database =
virtual_mailbox_domains = people.test
virtual_mailbox_maps = texthash:$instance/mailboxes
virtual_mailbox_base = $place/mail
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = $place/relay.pem
smtpd_tls_key_file = $place/relay.key
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = notes.test
cyrus_sasl_config_path = $instance/sasl
smtpd_client_restrictions = permit_sasl_authenticated, reject
smtpd_reject_unlisted_sender = yes
smtpd_relay_restrictions = reject_unauth_destination
END

# There is no SMTP client among them: nothing can leave this machine.
cat >"$instance/master.cf" <<END
127.0.0.1:$submission inet n - n - - smtpd
127.0.0.1:$smtps inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
proxymap  unix  - - n - - proxymap
error     unix  - - n - - error
retry     unix  - - n - - error
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
END

cargo build --quiet --package smart-notes-api --package smart-notes-worker --package smart-notes-cli
postfix -c "$instance" start 2>/dev/null

PYTHONDONTWRITEBYTECODE=1 python3 tests/postfix/stories.py "$PWD/target/debug" "$place" "$submission" "$smtps"
