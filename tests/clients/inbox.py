"""The code that was mailed to an address, from the inbox of `smart-notes dev`: as a module, or `inbox.py ADDRESS`."""

import json
import os
import re
import sys
import time
from urllib.request import urlopen

INBOX = os.environ["SMART_NOTES_INBOX"]


def asked(path: str) -> dict:
    with urlopen(INBOX + path, timeout=10) as answer:
        return json.load(answer)


def code_of(address: str) -> str:
    """The newest code; waits for the worker up to ten seconds."""
    for _ in range(100):
        for mail in asked("/api/v1/messages?limit=200")["messages"]:
            if address in [to["Address"] for to in mail["To"]]:
                text = asked(f"/api/v1/message/{mail['ID']}")["Text"]
                if found := re.search(r"OTP code is: (\S+)", text):
                    return found[1]
        time.sleep(0.1)
    sys.exit(f"no code came for {address}")


if __name__ == "__main__":
    print(code_of(sys.argv[1]))
