"""What happens between our worker and a real Postfix: told and checked, story by story. run.sh starts this."""

import contextlib
import json
import mailbox
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

BINARIES, PLACE = Path(sys.argv[1]), Path(sys.argv[2])
SUBMISSION, SMTPS = sys.argv[3], sys.argv[4]
PASSWORD = "a horse that is correct"
PATIENCE = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


API = f"http://127.0.0.1:{free_port()}"
SETTINGS = {
    "PATH": os.environ["PATH"],
    "SECRET_KEY": "an example key for tests only and long enough",
    "SMART_NOTES__DATABASE__URL": f"sqlite://{PLACE}/smart-notes.db",
    "SMART_NOTES__HTTP__LISTEN": API.removeprefix("http://"),
    "SMART_NOTES__LIMITS__ENABLED": "false",
    "SMART_NOTES__SMTP__RELAYS": f"smtp://worker:correct-horse@localhost:{SUBMISSION}",
    "SMART_NOTES__SMTP__CA_FILE": f"{PLACE}/ca.pem",
    "SMART_NOTES__SMTP__HELLO_NAME": "app.notes.test",
    "SMART_NOTES__SMTP__FROM": "Smart Notes <no-reply@notes.test>",
}


# Our programs.


@contextlib.contextmanager
def running(program: str, **changes: str):
    """A process of ours, until the block ends; then it must stop in good order."""
    with open(PLACE / f"{program}.log", "a", encoding="utf-8") as log:
        process = subprocess.Popen([BINARIES / program], env=SETTINGS | changes, cwd=PLACE, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        ended = process.wait(timeout=40)
    assert ended == 0, f"{program} ended with {ended}"


def worker(**changes: str):
    return running("smart-notes-worker", **changes)


def ask(*arguments: str) -> str:
    """What an operator's command answers."""
    command = [BINARIES / "smart-notes", *arguments]
    return subprocess.run(command, env=SETTINGS, cwd=PLACE, check=True, capture_output=True, text=True).stdout


def show(*arguments: str) -> None:
    print(f"$ smart-notes {' '.join(arguments)}\n{ask(*arguments)}", end="")


def jobs() -> dict[str, dict]:
    """Every mail, by its address; the newest one."""
    listed = json.loads(ask("jobs", "list", "--json", "--reveal", "--limit", "10000"))
    return {job["to"]: job for job in reversed(listed)}


def mail_to(address: str, state: str) -> dict:
    """The mail to that address, once it is in that state."""
    wait_for(f"the mail to {address} is {state}", lambda: jobs()[address]["state"] == state)
    return jobs()[address]


def story(mail: dict) -> dict:
    return json.loads(ask("jobs", "show", mail["id"], "--json"))


def wait_for(what: str, holds) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


# What clients do.


def post(path: str, fields: dict) -> tuple[int, dict]:
    body = json.dumps(fields).encode()
    request = urllib.request.Request(API + path, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def register(name: str) -> str:
    address = f"{name}@people.test"
    fields = {"username": name, "email": address, "password": PASSWORD, "confirm_password": PASSWORD}
    status, answer = post("/api/auth/register/", fields)
    assert status == 201, answer
    return address


def code_of(message: EmailMessage) -> str:
    text = message.get_body(("plain",)).get_content()
    return re.search(r"Your OTP code is: (\d{6})", text)[1]


# Postfix.


def postfix(command: str) -> None:
    subprocess.run(["postfix", "-c", PLACE / "postfix", command], check=True, capture_output=True)


def configure(setting: str) -> None:
    subprocess.run(["postconf", "-c", PLACE / "postfix", "-e", setting], check=True)
    postfix("reload")


def mails_of(name: str) -> list[EmailMessage]:
    folder = PLACE / "mail" / name
    if not folder.exists():
        return []
    return [BytesParser(policy=policy.SMTP).parsebytes(kept.as_bytes()) for kept in mailbox.Maildir(folder)]


def arrives(name: str) -> EmailMessage:
    """The one mail in a mailbox. Postfix delivers it after it has accepted it."""
    wait_for(f"a mail is in the mailbox of {name}", lambda: mails_of(name))
    (message,) = mails_of(name)
    return message


# The stories.


def mails_are_delivered_and_their_codes_are_right() -> None:
    names = ["ada", *(f"ada{n}" for n in range(20))]
    for name in names:
        register(name)
    for name in names:
        job = mail_to(f"{name}@people.test", "delivered")
        message = arrives(name)
        assert message["Message-ID"] == f"<{job['id']}@notes.test>", message["Message-ID"]
        assert message["From"] == "Smart Notes <no-reply@notes.test>", message["From"]
        assert message["To"] == f"{name}@people.test", message["To"]
        assert message["Return-Path"] == "<no-reply@notes.test>", message["Return-Path"]
        assert message["Auto-Submitted"] == "auto-generated"
        assert "DKIM-Signature" not in message, "signing is the relay's work"
        assert not message.defects, message.defects
        received = message["Received"]
        assert "from app.notes.test" in received and "with ESMTPSA" in received, received
        status, answer = post("/api/auth/verify-otp/", {"email": f"{name}@people.test", "otp": code_of(message)})
        assert status == 200, answer
    show("jobs", "show", jobs()["ada@people.test"]["id"])


def an_address_that_postfix_does_not_know_is_undeliverable_at_once() -> None:
    mail = mail_to(register("nobody"), "undeliverable")
    (only,) = story(mail)["tries"]
    assert (only["stage"], only["code"], only["enhanced"]) == ("rcpt", 550, "5.1.1"), only
    show("jobs", "show", mail["id"])


def many_unknown_addresses_slow_no_mail_down() -> None:
    """Postfix waits a second before each answer after ten errors on a connection, and hangs up after twenty."""
    for n in range(60):
        register(f"nobody{n}")
    mail = mail_to(register("bob"), "delivered")
    for n in range(60):
        mail_to(f"nobody{n}@people.test", "undeliverable")
    assert [one["outcome"] for one in story(mail)["tries"]] == ["delivered"], story(mail)
    tries = [one for job in jobs().values() for one in story(job)["tries"]]
    slowest = max(one["duration_ms"] for one in tries)
    assert slowest < 1000, f"the slowest try took {slowest} ms"
    print(f"60 addresses were unknown; the slowest of {len(tries)} tries took {slowest} ms")


def a_limit_of_three_connections_costs_no_mail_a_try() -> None:
    """Ours is 32. Postfix answers the fourth with 421."""
    configure("smtpd_client_connection_count_limit=3")
    ask("jobs", "pause")
    names = [f"{name}{n}" for name in ("bob", "eve", "ivy") for n in range(20)]
    for name in names:
        register(name)
    ask("jobs", "resume")
    begun = time.monotonic()
    tries = [one for name in names for one in story(mail_to(f"{name}@people.test", "delivered"))["tries"]]
    assert len(tries) == len(names), tries
    configure("smtpd_client_connection_count_limit=50")
    print(f"60 mails were accepted within {time.monotonic() - begun:.1f} s, each at its first try")


def a_mail_waits_while_postfix_is_stopped_and_flows_when_it_is_back() -> None:
    postfix("stop")
    address = register("eve")
    wait_for("the relay is out of order", lambda: jobs()[address]["held"])
    waiting = story(jobs()[address])
    postfix("start")
    back = time.monotonic()
    mail = mail_to(address, "delivered")
    took = time.monotonic() - back
    assert took < 5, f"the mail flowed only after {took:.1f} s"
    assert waiting["attempts"] == 0 and story(mail)["attempts"] == 1, story(mail)
    arrives("eve")
    show("jobs", "show", mail["id"])
    print(f"it flowed {took:.1f} s after Postfix was back")


def a_wrong_password_holds_the_queue_and_counts_no_try() -> None:
    wrong = SETTINGS["SMART_NOTES__SMTP__RELAYS"].replace("correct-horse", "wrong")
    with worker(SMART_NOTES__SMTP__RELAYS=wrong):
        addresses = [register(name) for name in ("joy", "joy1", "joy2")]
        wait_for("the relay is out of order", lambda: "535" in ask("jobs", "stats"))
        wait_for("nothing is in hand", lambda: all(jobs()[one]["state"] != "sending" for one in addresses))
        show("jobs", "list", "--limit", "3")
        tried = [story(jobs()[one]) for one in addresses]
        assert sum(one["attempts"] for one in tried) == 0, tried
        (first,) = [one for one in tried for one in one["tries"]][:1]
        assert (first["stage"], first["code"], first["outcome"]) == ("auth", 535, "relay_refuses_us"), first
    with worker():
        for address in addresses:
            assert story(mail_to(address, "delivered"))["attempts"] == 1


def a_sender_whom_postfix_does_not_know_is_not_the_recipients_fault() -> None:
    with worker(SMART_NOTES__SMTP__FROM="stranger@people.test"):
        address = register("kim")
        wait_for("a try has failed", lambda: story(jobs()[address])["tries"])
        (only,) = story(jobs()[address])["tries"]
        assert only["outcome"] == "relay_refuses_us", only
    with worker():
        mail = mail_to(address, "delivered")
    show("jobs", "show", mail["id"])


def tls_from_the_first_byte_works_as_well() -> None:
    with worker(SMART_NOTES__SMTP__RELAYS=f"smtps://worker:correct-horse@localhost:{SMTPS}"):
        mail = mail_to(register("sam"), "delivered")
    assert "with ESMTPSA" in arrives("sam")["Received"]
    show("jobs", "show", mail["id"])


def a_certificate_that_nobody_vouches_for_is_refused() -> None:
    with worker(SMART_NOTES__SMTP__CA_FILE=""):
        address = register("tom")
        wait_for("a try has failed", lambda: story(jobs()[address])["tries"])
        (only,) = story(jobs()[address])["tries"]
        assert (only["stage"], only["outcome"]) == ("tls", "relay_refuses_us"), only
    with worker():
        mail = mail_to(address, "delivered")
    show("jobs", "show", mail["id"])


def main() -> None:
    ask("migrate")
    with running("smart-notes-api"):
        wait_for("the API is ready", is_ready)
        with worker():
            tell(mails_are_delivered_and_their_codes_are_right)
            tell(an_address_that_postfix_does_not_know_is_undeliverable_at_once)
            tell(many_unknown_addresses_slow_no_mail_down)
            tell(a_limit_of_three_connections_costs_no_mail_a_try)
            tell(a_mail_waits_while_postfix_is_stopped_and_flows_when_it_is_back)
        tell(a_wrong_password_holds_the_queue_and_counts_no_try)
        tell(a_sender_whom_postfix_does_not_know_is_not_the_recipients_fault)
        tell(tls_from_the_first_byte_works_as_well)
        tell(a_certificate_that_nobody_vouches_for_is_refused)


def tell(a_story) -> None:
    print(f"\n# {a_story.__name__.replace('_', ' ')}")
    a_story()


def is_ready() -> bool:
    try:
        with urllib.request.urlopen(f"{API}/health/ready") as answer:
            return answer.status == 200
    except OSError:
        return False


main()
