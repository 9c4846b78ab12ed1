"""Alice on Matrix and Bob on IRC: `begin` opens a conversation, `go-on` is what they say after a restart."""
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

HOMESERVER = os.environ.get("HOMESERVER", "http://127.0.0.1:8008")
IRC_PORT = int(os.environ.get("IRC_PORT", "6667"))
DOMAIN = os.environ.get("DOMAIN", "example.org")
STATE = os.environ.get("STATE", "/tmp/alice.json")
LIMIT = 120


def call(method, path, body=None, token=None):
    request = urllib.request.Request(HOMESERVER + "/_matrix/client/v3/" + path, method=method)
    if token:
        request.add_header("Authorization", "Bearer " + token)
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, data, LIMIT) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}") from None


def until(what, ask):
    """Asks again until there is an answer."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.2)
    raise SystemExit(f"not in time: {what}")


class Alice:
    def __init__(self, token, room=None):
        self.token = token
        self.room = room
        self.sent = 0
        self.since = None
        self.invitations = []

    def call(self, method, path, body=None):
        return call(method, path, body, self.token)

    def say(self, room, text):
        self.sent += 1
        transaction = f"{os.getpid()}-{self.sent}"
        path = f"rooms/{urllib.parse.quote(room)}/send/m.room.message/{transaction}"
        self.call("PUT", path, {"msgtype": "m.text", "body": text})

    def wait_invited(self):
        def invited():
            # Without `since` Synapse gives the same answer for minutes.
            since = f"&since={self.since}" if self.since else ""
            answer = self.call("GET", f"sync?timeout=1000{since}")
            self.since = answer["next_batch"]
            self.invitations += answer.get("rooms", {}).get("invite", {})
            return self.invitations
        until("an invitation", invited)
        room = self.invitations.pop(0)
        self.call("POST", f"rooms/{urllib.parse.quote(room)}/join", {})
        return room

    def wait_said(self, room, text):
        def said():
            path = f"rooms/{urllib.parse.quote(room)}/messages?dir=b&limit=50"
            events = self.call("GET", path)["chunk"]
            return any(text in event["content"].get("body", "") for event in events)
        until(f"{text!r} on Matrix", said)


class Bob:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", IRC_PORT), LIMIT)
        self.lines = self.socket.makefile("r", encoding="utf-8", errors="replace")
        self.write("NICK bob")
        self.write("USER bob 0 * :Bob")
        self.wait(" 001 ")
        self.write("JOIN #towline")
        self.wait(" 366 ")

    def write(self, line):
        self.socket.sendall(line.encode() + b"\r\n")

    def wait(self, text):
        for line in self.lines:
            if line.startswith("PING"):
                self.write("PONG" + line.rstrip()[4:])
            if text in line:
                return
        raise SystemExit(f"not in time: {text!r} on IRC")

    def wait_present(self, nick):
        def present():
            self.write(f"WHOIS {nick}")
            for line in self.lines:
                if " 319 " in line:
                    return "#towline" in line
                if " 318 " in line:
                    return False
            return False
        until(f"{nick} in the channel", present)


def begin():
    account = {"username": "alice", "password": "a long password", "auth": {"type": "m.login.dummy"}}
    alice = Alice(call("POST", "register", account)["access_token"])
    bot = f"@towline:{DOMAIN}"
    control = alice.call("POST", "createRoom", {"invite": [bot], "is_direct": True})["room_id"]
    alice.wait_said(control, "To begin")
    alice.say(control, "open test")
    alice.wait_invited()
    bob = Bob()
    alice.say(control, "join #towline")
    alice.room = alice.wait_invited()
    talk(alice, bob, "before")
    with open(STATE, "w", encoding="utf-8") as file:
        json.dump({"token": alice.token, "room": alice.room}, file)


def go_on():
    with open(STATE, encoding="utf-8") as file:
        alice = Alice(**json.load(file))
    talk(alice, Bob(), "after")


def talk(alice, bob, when):
    bob.wait_present("alice")
    alice.say(alice.room, f"from Matrix {when}")
    bob.wait(f"from Matrix {when}")
    bob.write(f"PRIVMSG #towline :from IRC {when}")
    alice.wait_said(alice.room, f"from IRC {when}")


{"begin": begin, "go-on": go_on}[sys.argv[1]]()
