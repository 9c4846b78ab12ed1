"""An IRC server that asks who has connected (RFC 1413), after a user on Matrix has opened its network."""
import http.client
import json
import re
import socket
import sys
import time

IRC, IDENT, APPSERVICE = (int(port) for port in sys.argv[2:5])
TOKEN = re.search(r'^hs_token: "([^"]*)', open(sys.argv[1], encoding="utf-8").read(), re.MULTILINE).group(1)
ALICE, ROOM = "@alice:example.org", "!control:example.org"

server = socket.create_server(("127.0.0.1", IRC))
server.settimeout(2)


def event(number, kind, content, **more):
    return {
        "event_id": f"${number}", "room_id": ROOM, "sender": ALICE, "type": kind, "content": content,
        "origin_server_ts": int(time.time() * 1000), **more,
    }


towline = http.client.HTTPConnection("127.0.0.1", APPSERVICE, timeout=30)


def tell(transaction, told):
    headers = {"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"}
    towline.request("PUT", f"/_matrix/app/v1/transactions/{transaction}", json.dumps({"events": [told]}), headers)
    answer = towline.getresponse()
    answer.read()
    assert answer.status == 200, answer.status


tell(0, event(0, "m.room.member", {"membership": "invite", "is_direct": True}, state_key="@towline:example.org"))
# It is heard once the bot has come, which nobody tells us here.
for number in range(1, 60):
    tell(number, event(number, "m.room.message", {"msgtype": "m.text", "body": "open test"}))
    try:
        _connection, (_, port) = server.accept()
        break
    except TimeoutError:
        continue
ident = socket.create_connection(("127.0.0.1", IDENT), 30)
ident.sendall(f"{port}, {IRC}\r\n".encode())
answer = ident.recv(200).decode()
print(answer)
assert answer == f"{port} , {IRC} : USERID : UNKNOWN : alice\r\n", answer
