"""A webhook for IPAM by Python's http.server, which shares no code with us.

Arguments: a path for a unix socket, or nothing for a port of its own on 127.0.0.1. The first line of stdout is its URL,
each later one a request as JSON: {path, body, status}. Each line of stdin is PATH STATUS: the next request of that path
is answered with that status. A lease belongs to a claim's UID and a device's name, and is held until it is released.
"""

import collections
import http.server
import json
import socketserver
import sys
import threading

POOLS = {"pool-a": "10.66.0", "pool-hook": "10.68.0"}
failures = collections.defaultdict(collections.deque)
leases = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(self.path, None, 200, {"cloudProvider": False, "profileProvider": True, "runtimeHook": True})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = (body.get("claim_uid"), body["device"]["name"])
        if failures[self.path]:
            self.answer(self.path, body, failures[self.path].popleft(), {"error": "as the test wants"})
        elif self.path == "/ReleaseProfileConfig":
            leases.pop(key, None)
            self.answer(self.path, body, 200, None)
        elif self.path == "/GetProfileConfig" and body["config"]["profile"] in POOLS:
            # As the reference server of whereabouts does: the pod is found by way of the claim.
            consumers = body["claim"]["status"]["reservedFor"]
            assert len(consumers) == 1 and consumers[0]["resource"] == "pods"
            host = leases.setdefault(key, 10 + len(leases))
            network = POOLS[body["config"]["profile"]]
            config = {
                "interface": {"addresses": [f"{network}.{host}/24"]},
                "routes": [{"destination": "10.67.0.0/16", "gateway": f"{network}.1"}],
                "rules": None,
            }
            self.answer(self.path, body, 200, config)
        elif self.path == "/GetRuntimeHook":
            assert body["config"]["interface"]["addresses"], "it is asked with the profile's configuration in place"
            wanted = body["config"]["profile"] == "pool-hook"
            hook = {"path": "/opt/example/bin/authorize", "args": ["--post"], "timeoutSeconds": 10} if wanted else None
            self.answer(self.path, body, 200, hook)
        else:
            self.answer(self.path, body, 404, {"error": "no such profile"})

    def answer(self, path, body, status, content):
        data = b"" if content is None and path != "/GetRuntimeHook" else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if data:  # the asker closes after the last byte, and even an empty write would fail then
            self.wfile.write(data)
        print(json.dumps({"path": path, "body": body, "status": status, "leases": len(leases)}), flush=True)

    def log_message(self, *_):
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        request, _ = super().get_request()
        return request, ("unix", 0)


if len(sys.argv) > 1:
    server = UnixServer(sys.argv[1], Handler)
    url = f"unix://{sys.argv[1]}"
else:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
threading.Thread(target=server.serve_forever, daemon=True).start()
print(url, flush=True)
for line in sys.stdin:
    path, status = line.split()
    failures[path].append(int(status))
    print(json.dumps({"path": "told", "body": None, "status": int(status), "leases": len(leases)}), flush=True)
