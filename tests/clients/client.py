"""Registers, logs in and makes a note with the client that openapi-python-client makes of the API's description."""

import os
import sys

from smart_notes_client import AuthenticatedClient, Client
from smart_notes_client.api.notes import create_note
from smart_notes_client.api.registration import register, verify
from smart_notes_client.api.sessions import log_in
from smart_notes_client.models import Attempt, LoggedIn, LoginRequest, LogInRefused, NewNoteRequest, Note
from smart_notes_client.models import RegisterRequest, VerifyRequest

sys.path.insert(0, os.path.dirname(__file__))
from inbox import code_of  # noqa: E402

API, ADDRESS, PASSWORD = os.environ["SMART_NOTES_API"], "python@example.com", "seven quiet otters 42"

client = Client(base_url=API)
new = RegisterRequest(username="python", email=ADDRESS, password=PASSWORD, confirm_password=PASSWORD)
attempt = register.sync(client=client, body=new)
assert isinstance(attempt, Attempt), attempt
verify.sync(client=client, body=VerifyRequest(email=ADDRESS, otp=code_of(ADDRESS), challenge=attempt.challenge))
wrong = log_in.sync(client=client, body=LoginRequest(login=ADDRESS, password="wrong"))
assert isinstance(wrong, LogInRefused) and wrong.code == "invalid_credentials", wrong
session = log_in.sync(client=client, body=LoginRequest(login=ADDRESS, password=PASSWORD))
assert isinstance(session, LoggedIn), session
mine = AuthenticatedClient(base_url=API, token=session.token)
note = create_note.sync(client=mine, body=NewNoteRequest(title="Milk", tags=["shop"]))
assert isinstance(note, Note) and note.title == "Milk" and note.version == 1, note
print(f"python: {note.id}, and a wrong password is {wrong.code}")
