#!/usr/bin/env python3
"""Whether the time of an answer tells who has an account (OWASP ASVS 5.0 6.3.8): Python's standard library alone.

    tests/timing/run.py [--binaries target/release] [--pairs 1500] [--accounts 500]

Starts an API on a free port with an empty database and lifted limits, makes accounts and pending registrations, and asks
each route for a known and an unknown address in turn, the order within each pair drawn anew. Prints for each route the
medians, the difference of the 10 % trimmed means, and two figures that are standard normal where the times are alike: z of
the Mann-Whitney rank test, which outliers do not move, and z of the trimmed means (Yuen's test). Exit 1 if one of them is 3
or more in size: by chance that happens once in 200 runs or so; run it again then. No worker runs: it would take the
processor at times of its own.
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

    def post(self, route, body):
        """The seconds until the answer was there, and its status."""
        body = json.dumps(body).encode()
        begun = time.perf_counter()
        self.line.request("POST", f"/api/auth/{route}/", body, {"Content-Type": "application/json"})
        answer = self.line.getresponse()
        answer.read()
        return time.perf_counter() - begun, answer.status


def address(kind, number):
    """Addresses of one length, so that the length tells nothing."""
    return f"{kind}{number:06}@example.com"


def make_accounts(service, count):
    def create(number):
        name, email = f"verified{number}", address("verif", number)
        service.run("users", "create", "--username", name, "--email", email, given=PASSWORD)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(create, range(count)))


def register(service, count):
    service.reconnect()
    for number in range(count):
        form = {"username": f"pending{number}", "email": address("pendi", number)}
        _, status = service.post("register", form | {"password": PASSWORD, "confirm_password": PASSWORD})
        assert status == 201, status


def measure(service, route, kind, accounts, pairs):
    """The times for addresses of that kind, and for unknown ones."""
    # Unknown addresses are new to each route, and asked for as often as the known ones.
    unknown = f"n{route[:3]}{kind[0]}"
    known_times, unknown_times = [], []
    service.reconnect()
    for number in range(pairs + WARM_UP):
        pair = [(kind, known_times), (unknown, unknown_times)]
        random.shuffle(pair)
        for whose, times in pair:
            taken, status = service.post(route, {"email": address(whose, number % accounts)})
            assert status == 200, (route, status)
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


def report(route, kind, known, unknown):
    (one, one_variance), (other, other_variance) = trimmed(known), trimmed(unknown)
    figures = rank_z(known, unknown), (one - other) / math.sqrt(one_variance + other_variance)
    fine = all(abs(figure) < LIMIT for figure in figures)
    print(
        f"{'ok   ' if fine else 'WRONG'} {route:24} {kind:9} {len(known)} pairs: "
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
    options = options.parse_args()
    fine = True
    with tempfile.TemporaryDirectory() as folder, Service(options.binaries, Path(folder)) as service:
        make_accounts(service, options.accounts)
        register(service, options.accounts)
        gc.disable()
        for route, kind, begins in [
            ("password-reset-request", "verified", "verif"),
            ("otp-login-request", "verified", "verif"),
            ("resend-otp", "pending", "pendi"),
            ("resend-otp", "verified", "verif"),
        ]:
            known, unknown = measure(service, route, begins, options.accounts, options.pairs)
            fine &= report(route, kind, known, unknown)
            gc.collect()
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
