#!/usr/bin/env python3
"""Whether the time of an answer tells who has an account (OWASP ASVS 5.0 6.3.8): Python's standard library alone.

    tests/timing/run.py [--binaries target/release] [--pairs 1500] [--accounts 500] [--only login]

Starts an API on a free port with an empty database and lifted limits, makes accounts and pending registrations, and asks
each route for a known and an unknown address or name in turn, the order within each pair drawn anew. Codes and passwords
are wrong, and registrations another client's: a login checks those of its own client as well. Prints for each case the medians, the difference of the 10 % trimmed means, and two figures that are standard
normal where the times are alike: z of the Mann-Whitney rank test, which outliers do not move, and z of the trimmed means
(Yuen's test). Exit 1 if one of them is 3 or more in size: by chance that happens once in 20 runs or so; run it again then,
with --only. No worker runs: it would take the processor at times of its own.
"""
import argparse
import gc
import http.client
import json
import math
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PASSWORD = "correct horse battery"
WARM_UP = 50
LIMIT = 3.0


class Service:
    """An API of its own."""

    def __init__(self, binaries, folder):
        self.binaries, self.folder = binaries.resolve(), folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        ours = ("SMART_NOTES", "SECRET_KEY", "DATABASE_URL", "PORT", "DEBUG", "EMAIL_HOST")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
            "SECRET_KEY": "an example key for measuring only, long enough",
            "SMART_NOTES__DATABASE__URL": f"sqlite://{folder}/notes.db",
            "SMART_NOTES__HTTP__LISTEN": f"127.0.0.1:{self.port}",
            "SMART_NOTES__SMTP__RELAYS": "smtp://127.0.0.1:1?tls=none",
            "SMART_NOTES__LIMITS__ENABLED": "false",
            "SMART_NOTES__ACCOUNTS__OTP_LOGIN": "true",
            "SMART_NOTES__LOG__LEVEL": "warn",
            "SMART_NOTES__HTTP__TRUSTED_PROXIES": "127.0.0.1",
        }

    def __enter__(self):
        self.run("migrate")
        log = open(self.folder / "api.log", "wb")
        self.api = subprocess.Popen(
            [self.binaries / "smart-notes-api"], cwd=self.folder, env=self.environment, stdout=log, stderr=log
        )
        for _ in range(600):
            try:
                self.line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                self.line.request("GET", "/health/ready")
                answer = self.line.getresponse()
                answer.read()
                if answer.status == 200:
                    return self
            except OSError:
                pass
            if self.api.poll() is not None:
                break
            time.sleep(0.05)
        self.__exit__()
        sys.exit(f"the API does not start: {(self.folder / 'api.log').read_text()}")

    def __exit__(self, *_):
        if self.api.poll() is None:
            self.api.send_signal(signal.SIGTERM)
            self.api.wait(60)

    def reconnect(self):
        """Begins a new connection: the server closes one that is idle."""
        self.line.close()

    def run(self, *words, given=""):
        made = subprocess.run(
            [self.binaries / "smart-notes", *words],
            cwd=self.folder, env=self.environment, input=given, text=True, capture_output=True,
        )
        if made.returncode:
            sys.exit(f"smart-notes {' '.join(words)}: {made.stderr}")

    def post(self, route, body, client="192.0.2.1"):
        """The seconds until the answer was there, its status, and what it says."""
        body = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-Forwarded-For": client}
        begun = time.perf_counter()
        self.line.request("POST", f"/api/auth/{route}/", body, headers)
        answer = self.line.getresponse()
        said = answer.read()
        return time.perf_counter() - begun, answer.status, said


def address(kind, number):
    """Addresses of one length, so that the length tells nothing."""
    return f"{kind}{number:06}@example.com"


def make_accounts(service, kind, count):
    def create(number):
        name = f"{kind}{number:06}"
        service.run("users", "create", "--username", name, "--email", address(kind, number), given=PASSWORD)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(create, range(count)))


def challenges(service, route, bodies, wanted):
    """What a route answers with for each of these."""
    service.reconnect()
    found = []
    for body in bodies:
        _, status, said = service.post(route, body, "192.0.2.2")
        assert status == wanted, (route, status, said)
        found.append(json.loads(said)["challenge"])
    return found


def registrations(service, kind, count, tag=""):
    """Registers that many addresses, under names that end in the tag: the challenges."""
    def form(number):
        names = {"username": f"{kind}{number:06}{tag}", "email": address(kind, number)}
        return names | {"password": PASSWORD, "confirm_password": PASSWORD}

    return challenges(service, "register", map(form, range(count)), 201)


def resets(service, kind, count):
    """Asks for a new password at that many addresses: the challenges."""
    bodies = ({"email": address(kind, number)} for number in range(count))
    return challenges(service, "password-reset-request", bodies, 200)


def requests(route):
    """Asking for a code."""
    return route, 200, lambda kind, number: {"email": address(kind, number)}


def guesses(route, *held, **more):
    """A wrong code; with the challenge of each address, if they are given by kind."""
    def body(kind, number):
        holds = {"challenge": held[0][kind][number]} if held else {}
        return {"email": address(kind, number), "otp": "000000"} | more | holds

    return route, 400, body


def logins(name):
    """A wrong password."""
    return "login", 400, lambda kind, number: {"login": name(kind, number), "password": "another passphrase"}


def cases(service, accounts, pairs):
    """Each with a name, what is asked, a kind of known addresses, and an unknown one. An address is asked as often as there
    are pairs to an account: a code dies of five wrong ones."""
    named = "{0}{1:06}".format
    new = {"new_password": "another passphrase"}
    yield "asks for a reset", requests("password-reset-request"), "verif", "nobo1"
    yield "asks for a login code", requests("otp-login-request"), "verif", "nobo2"
    yield "asks again, pending", requests("resend-otp"), "pendi", "nobo3"
    yield "asks again, verified", requests("resend-otp"), "verif", "nobo4"
    yield "logs in by address", logins(address), "verif", "nobo5"
    yield "logs in by address, pending", logins(address), "pendi", "nobo5"
    yield "logs in by name", logins(named), "verif", "nobo5"
    yield "logs in by name, pending", logins(named), "pendi", "nobo5"
    count = min(accounts, pairs + WARM_UP)
    yield "verifies", guesses("verify-otp"), "pendi", "nobo6"
    forms = {kind: registrations(service, kind, count, "x") for kind in ["penda", "verif"]}
    yield "verifies with its challenge", guesses("verify-otp", forms), "penda", "verif"
    yield "resets what nobody asked for", guesses("password-reset-confirm", **new), "veria", "nobo7"
    for kind in ["veria", "nobo8"]:
        resets(service, kind, count)
    yield "resets", guesses("password-reset-confirm", **new), "veria", "nobo8"
    held = {kind: resets(service, kind, count) for kind in ["verib", "nobo9"]}
    yield "resets with its challenge", guesses("password-reset-confirm", held, **new), "verib", "nobo9"


def measure(service, asked, known, unknown, accounts, pairs):
    """The times for known and for unknown ones."""
    route, wanted, body = asked
    known_times, unknown_times = [], []
    service.reconnect()
    for number in range(pairs + WARM_UP):
        pair = [(known, known_times), (unknown, unknown_times)]
        random.shuffle(pair)
        for kind, times in pair:
            taken, status, said = service.post(route, body(kind, number % accounts))
            assert status == wanted, (route, status, said)
            if number >= WARM_UP:
                times.append(taken)
    return known_times, unknown_times


def rank_z(ones, others):
    """Mann-Whitney's U as a standard normal figure, with the correction for ties."""
    values = sorted([(value, 0) for value in ones] + [(value, 1) for value in others])
    ranks, ties, at = 0.0, 0.0, 0
    while at < len(values):
        end = at
        while end < len(values) and values[end][0] == values[at][0]:
            end += 1
        ranks += sum(which == 0 for _, which in values[at:end]) * (at + end + 1) / 2
        ties += (end - at) ** 3 - (end - at)
        at = end
    n, m = len(ones), len(others)
    u = ranks - n * (n + 1) / 2
    spread = n * m / 12 * ((n + m + 1) - ties / ((n + m) * (n + m - 1)))
    return (u - n * m / 2) / math.sqrt(spread)


def trimmed(values, share=0.1):
    """The mean without the outer tenths, and its variance (Yuen)."""
    values, cut = sorted(values), int(len(values) * share)
    inner = values[cut : len(values) - cut]
    winsorised = [inner[0]] * cut + inner + [inner[-1]] * cut
    variance = statistics.variance(winsorised) * (len(values) - 1) / (len(inner) * (len(inner) - 1))
    return statistics.fmean(inner), variance


def report(name, known, unknown):
    (one, one_variance), (other, other_variance) = trimmed(known), trimmed(unknown)
    figures = rank_z(known, unknown), (one - other) / math.sqrt(one_variance + other_variance)
    fine = all(abs(figure) < LIMIT for figure in figures)
    print(
        f"{'ok   ' if fine else 'WRONG'} {name:28} {len(known)} pairs: "
        f"medians {statistics.median(known) * 1e3:.3f} and {statistics.median(unknown) * 1e3:.3f} ms, "
        f"means apart {(one - other) * 1e6:+.0f} us, z {figures[0]:+.2f} (ranks) {figures[1]:+.2f} (means)",
        flush=True,
    )
    return fine


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--binaries", type=Path, default=Path("target/release"))
    options.add_argument("--pairs", type=int, default=1500)
    options.add_argument("--accounts", type=int, default=500)
    options.add_argument("--only", default="", help="only cases whose names contain this")
    options = options.parse_args()
    accounts, pairs, fine = options.accounts, options.pairs, True
    with tempfile.TemporaryDirectory() as folder, Service(options.binaries, Path(folder)) as service:
        for kind in ["verif", "veria", "verib"]:
            make_accounts(service, kind, accounts)
        registrations(service, "pendi", accounts)
        gc.disable()
        for name, asked, known, unknown in cases(service, accounts, pairs):
            if options.only in name:
                fine &= report(name, *measure(service, asked, known, unknown, accounts, pairs))
                gc.collect()
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
