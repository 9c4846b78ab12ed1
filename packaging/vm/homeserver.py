"""As much of a homeserver as Towline needs to start and to open a network: it knows the token, calls back when it is
asked to, and takes whatever is done in rooms.
"""
import http.server
import itertools
import json
import re
import sys
import urllib.request

ROOMS = itertools.count()
REGISTRATION = open(sys.argv[1], encoding="utf-8").read()


def said(key):
    return re.search(rf'^{key}: "?([^"\n]*)', REGISTRATION, re.MULTILINE).group(1)


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        status, content = 200, {}
        if self.headers.get("authorization") != "Bearer " + said("as_token"):
            status, content = 401, {"errcode": "M_UNKNOWN_TOKEN", "error": "unknown token"}
        elif self.path.endswith(("/register", "/whoami")):
            content = {"user_id": "@towline:example.org"}
        elif self.path.endswith("/capabilities"):
            content = {"capabilities": {"m.room_versions": {"default": "11", "available": {"11": "stable"}}}}
        elif self.path.endswith("/ping"):
            request = urllib.request.Request(said("url") + "/_matrix/app/v1/ping", body, method="POST")
            request.add_header("Authorization", "Bearer " + said("hs_token"))
            urllib.request.urlopen(request, timeout=10).read()
            content = {"duration_ms": 1}
        elif self.path.endswith("/m.room.encryption/") and self.command == "GET":
            status, content = 404, {"errcode": "M_NOT_FOUND", "error": "it is not encrypted"}
        elif self.path.endswith("/createRoom"):
            content = {"room_id": f"!made-{next(ROOMS)}:example.org"}
        elif self.path.endswith("/join"):
            content = {"room_id": self.path.split("/")[-2]}
        elif "/send/" in self.path or "/state/" in self.path and self.command == "PUT":
            content = {"event_id": "$" + self.path.rsplit("/", 1)[-1]}
        elif self.path.endswith("/joined_members"):
            content = {"joined": {"@alice:example.org": {}, "@towline:example.org": {}}}
        elif self.path.endswith("/joined_rooms"):
            content = {"joined_rooms": []}
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST = answer


http.server.ThreadingHTTPServer(("127.0.0.1", 8008), Handler).serve_forever()
