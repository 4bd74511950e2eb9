"""What schemathesis can't know of this API: who may log in, which codes were mailed, and why a well-formed body may be
refused all the same.

`run.sh` starts the system with the mail catcher and names both in the environment; `schemathesis.toml` loads this file.
"""

import collections
import hashlib
import hmac
import itertools
import os
import re
import time
import uuid

import requests
import schemathesis

API = os.environ["SMART_NOTES_API"]
INBOX = os.environ["SMART_NOTES_INBOX"]

# How long a mail may take, in seconds. Nothing is measured by it.
PATIENCE = 30

numbers = itertools.count(1)


def call(method, path, body=None, token=None):
    """Asks the API beside the test, and expects success."""
    headers = {"Authorization": token} if token else {}
    answer = requests.request(method, f"{API}/api/auth/{path}/", json=body, headers=headers, timeout=PATIENCE)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def mailed(address, cause):
    """The code that reaches the address because of what `cause` does."""

    def mails():
        query = f'to:{address} "Your OTP code is"'
        found = requests.get(f"{INBOX}/api/v1/search", params={"query": query}, timeout=PATIENCE)
        return found.json()["messages"]

    before, deadline = len(mails()), time.monotonic() + PATIENCE
    result = cause()
    while len(found := mails()) == before:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no mail came to {address}")
        time.sleep(0.005)
    text = requests.get(f"{INBOX}/api/v1/message/{found[0]['ID']}", timeout=PATIENCE).json()["Text"]
    return result, re.search(r"Your OTP code is: (\w+)", text)[1]


class Person:
    """Somebody who registers; `verified` once the code has been presented."""

    def __init__(self):
        name = f"somebody{next(numbers)}"
        self.email, self.password = f"{name}@example.com", "correct horse battery"
        form = {"username": name, "email": self.email, "password": self.password, "confirm_password": self.password}
        attempt, self.code = mailed(self.email, lambda: call("POST", "register", form))
        self.challenge = attempt["challenge"]

    def verified(self):
        call("POST", "verify-otp", {"email": self.email, "otp": self.code, "challenge": self.challenge})
        return self

    def token(self):
        return "Token " + call("POST", "login", {"login": self.email, "password": self.password})["token"]

    def asked(self, path):
        """What `path` answers, and the code that it asks for."""
        return mailed(self.email, lambda: call("POST", path, {"email": self.email}))


class Session:
    """A session that is open, and whose it is. Tests end sessions and accounts, so there are several in a run."""

    current = None

    def __init__(self):
        self.person = Person().verified()
        self.token = self.person.token()
        Session.current = self

    def is_open(self):
        headers = {"Authorization": self.token}
        return requests.get(f"{API}/api/auth/me/", headers=headers, timeout=PATIENCE).status_code == 200

    @classmethod
    def now(cls):
        return cls.current if cls.current and cls.current.is_open() else cls()

    def sign(self, case):
        """Presents the token, in both of the ways by turns."""
        scheme = "Bearer" if next(numbers) % 2 else "Token"
        case.headers["Authorization"] = f"{scheme} {self.token.split()[1]}"
        signed.add(case.headers["Authorization"])


# What was presented, to be told from what schemathesis makes up.
signed = set()


@schemathesis.auth()
class Auth:
    def get(self, case, context):
        return Session.now()

    def set(self, case, session, context):
        session.sign(case)


# How many edits a batch has that is made up. A hundred notes of a hundred thousand characters each, kept with thousands
# of their like for the report, took twenty gigabytes. tests/notes_batch.rs goes to the real bound; a batch that is too
# long for the bound here is answered like any other, which is expected of that route.
EDITS = 2


def shorten(schema):
    """Lowers the bound of a batch, wherever it stands."""
    if isinstance(schema, dict) and schema.get("maxItems", 0) >= 100:
        schema["maxItems"] = EDITS
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        shorten(part)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    shorten(raw_schema)


# How to make a well-formed request a right one. Each returns what it puts into the body, or nothing for path, query
# and headers.


def register(case):
    return {"username": f"body{next(numbers)}", "confirm_password": case.body.get("password")}


def verify(case):
    person = Person()
    return {"email": person.email, "otp": person.code, "challenge": person.challenge}


def log_in(case):
    person = Person().verified()
    return {"login": person.email, "password": person.password}


def log_in_with_code(case):
    person = Person().verified()
    answer, code = person.asked("otp-login-request")
    return {"email": person.email, "otp": code, "challenge": answer["challenge"]}


def reset_password(case):
    person = Person().verified()
    answer, code = person.asked("password-reset-request")
    return {"email": person.email, "otp": code, "challenge": answer["challenge"]}


def change_profile(case):
    return {"username": f"body{next(numbers)}"}


def change_password(case):
    return {"current_password": Session.current.person.password}


def request_email_change(case):
    return {"password": Session.current.person.password}


def change_email(case):
    session = Session.current
    person = session.person
    person.email = f"moved{next(numbers)}@example.com"
    wish = {"new_email": person.email, "password": person.password}
    return {"otp": mailed(person.email, lambda: call("POST", "email-change-request", wish, session.token))[1]}


def delete_account(case):
    session = Session()
    session.sign(case)
    return {"otp": mailed(session.person.email, lambda: call("POST", "delete-account-request", {}, session.token))[1]}


def a_note():
    headers = {"Authorization": Session.current.token}
    body = {"title": f"Note {next(numbers)}", "content": "Milk and bread", "tags": ["shop"]}
    answer = requests.post(f"{API}/api/notes/", json=body, headers=headers, timeout=PATIENCE)
    answer.raise_for_status()
    return answer.json()


def create_note(case):
    """Names no note that there is."""
    return {"id": str(uuid.uuid4()), "title": f"Note {next(numbers)}"}


def change_note(case):
    """Names a note that there is, in its version."""
    note = a_note()
    case.path_parameters["id"] = note["id"]
    for condition in ("If-Match", "If-None-Match"):
        case.headers.pop(condition, None)
    if next(numbers) % 2:
        case.headers["If-Match"] = '"1"'
    return {"content": "Milk, bread and apples"}


def show_note(case):
    change_note(case)
    if next(numbers) % 2:
        case.headers["If-None-Match"] = '"1"'
    return {}


def list_notes(case):
    """Leaves out the cursor, which only the server can give."""
    (case.query or {}).pop("cursor", None)
    return {}


def end_session(case):
    other = Session.current.person.token()
    sessions = call("GET", "sessions", token=other)["results"]
    case.path_parameters["id"] = next(session["id"] for session in sessions if session["current"])
    return {}


# How the payment services prove who they are. `requests` calls these at the very end, when the body is what is sent.


def sign_as_stripe(request):
    body = request.body.encode() if isinstance(request.body, str) else request.body
    now = int(time.time())
    secret = os.environ["SMART_NOTES__PAYMENTS__STRIPE_SECRET"].encode()
    signature = hmac.new(secret, f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    request.headers["Stripe-Signature"] = f"t={now},v1={signature}"
    return request


def sign_as_revenuecat(request):
    request.headers["Authorization"] = os.environ["SMART_NOTES__PAYMENTS__REVENUECAT_SECRET"]
    return request


SIGN = {"takeStripeEvent": sign_as_stripe, "takeRevenueCatEvent": sign_as_revenuecat}


RIGHT = {
    "register": register,
    "verify": verify,
    "logIn": log_in,
    "logInWithCode": log_in_with_code,
    "resetPassword": reset_password,
    "changeProfile": change_profile,
    "changePassword": change_password,
    "requestEmailChange": request_email_change,
    "changeEmail": change_email,
    "deleteAccount": delete_account,
    "deleteAccountByPost": delete_account,
    "endSession": end_session,
    **{name: lambda case: {} for name in SIGN},
    "createNote": create_note,
    "putNote": change_note,
    "changeNote": change_note,
    "deleteNote": change_note,
    "restoreNote": change_note,
    "showNote": show_note,
    "listNotes": list_notes,
    "followChanges": list_notes,
}

# How many well-formed requests there were: by operation.
turns = collections.Counter()

# Requests that were made right: by case.
made_right = set()


def operation(case):
    return case.operation.definition.raw["operationId"]


def is_well_formed(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


@schemathesis.hook
def filter_query(context, query):
    """A parameter that is empty is one that is not given, and of several the last counts: that is no invalid request."""
    last = [value[-1] if isinstance(value, list) and value else value for value in (query or {}).values()]
    return "" not in last


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes three of four well-formed requests right ones. The others are well-formed and wrong."""
    if case.headers.get("Authorization") in signed:
        # The session of the time when the case was made may be over.
        Session.now().sign(case)
    make = RIGHT.get(operation(case))
    if make is None or not is_well_formed(case):
        return
    # Each operation's first is right, since there may be no other in a phase.
    turns[operation(case)] += 1
    if turns[operation(case)] % 4 == 0:
        return
    values = make(case)
    if isinstance(case.body, dict):
        case.body = {**case.body, **values}
    if operation(case) in SIGN:
        kwargs["auth"] = SIGN[operation(case)]
    made_right.add(case.id)


@schemathesis.hook
def after_call(context, case, response):
    """Keeps what a test changed."""
    if operation(case) == "changePassword" and response.status_code == 200:
        Session.current.person.password = case.body["new_password"]


# Why a well-formed body is refused with 400, by the code or by the message: what no schema can say.
WRONG_CODE = {"invalid_otp"}
UNSIGNED = {"invalid_signature"}
WRONG_PASSWORD = {"Invalid password.", "invalid_credentials"}
UNFIT_NAME = {
    "A user with that username already exists.",
    "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
}
UNFIT_PASSWORD = {
    "This password is too common.",
    "The password is too similar to the username.",
    "The password is too similar to the email.",
    "The password is too similar to the name of this service.",
}
# A number is taken for a password, and its digits may be few.
SHORT_NUMBER = {"This password is too short. It must contain at least 8 characters."}

# A field alone can't say that a note is blank, and no schema which cursor was given.
BLANK_NOTE = {"A note needs a title or a content."}
NO_CURSOR = {"Invalid cursor.", "Null characters are not allowed.", "Ensure this field has no more than 4000 characters."}

ALWAYS = {
    "createNote": BLANK_NOTE,
    "putNote": BLANK_NOTE,
    "changeNote": BLANK_NOTE,
    "listNotes": NO_CURSOR,
    "followChanges": NO_CURSOR,
    "register": UNFIT_PASSWORD | SHORT_NUMBER,
    "resetPassword": UNFIT_PASSWORD,
    "changePassword": UNFIT_PASSWORD,
}
UNLESS_RIGHT = {
    "register": UNFIT_NAME | {"Passwords do not match."},
    "verify": WRONG_CODE,
    "logIn": WRONG_PASSWORD,
    "logInWithCode": WRONG_CODE,
    "resetPassword": WRONG_CODE,
    "changeProfile": UNFIT_NAME,
    "changePassword": WRONG_PASSWORD,
    "requestEmailChange": WRONG_PASSWORD,
    "changeEmail": WRONG_CODE,
    "deleteAccount": WRONG_CODE,
    "deleteAccountByPost": WRONG_CODE,
    "takeStripeEvent": UNSIGNED,
    "takeRevenueCatEvent": UNSIGNED,
}


@schemathesis.check
def refused_for_a_reason(ctx, response, case):
    """A well-formed body is refused only for what no schema can say, and a right one hardly ever."""
    if not is_well_formed(case) or response.status_code != 400:
        return
    body = response.json()
    said = {body["code"]} if "code" in body else {message for messages in body.values() for message in messages}
    reasons = set(ALWAYS.get(operation(case), ()))
    if case.id not in made_right:
        reasons |= UNLESS_RIGHT.get(operation(case), set())
    assert said <= reasons, f"{operation(case)} may not be refused with {sorted(said - reasons)}"
