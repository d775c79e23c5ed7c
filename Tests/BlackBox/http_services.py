"""Small services for the tests of functions behind HTTP."""
import hashlib, hmac, socket, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, urlsplit


class Request:
    def __init__(self, handler, body):
        self.path, self.headers, self.body = handler.path, handler.headers, body
        self.connection = handler.client_address

    @property
    def position(self):
        return int(self.headers["replay-position"])


class Service:
    """Answers every POST with what `answer(request)` returns: (status, headers, body); bytes, which are sent as they are
    and end the connection; or None, for a connection that ends without an answer."""

    def __init__(self, answer, port=0):
        self.requests = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_POST(self):
                request = Request(self, self.rfile.read(int(self.headers["Content-Length"])))
                service.requests.append(request)
                told = answer(request)
                if not isinstance(told, tuple):
                    self.wfile.write(told or b"")
                    self.close_connection = True
                    return
                status, headers, body = told
                self.send_response(status)
                for name, value in {**headers, "Content-Length": len(body)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass  # a client that went away

        self.server = Server(("127.0.0.1", port), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def invoke(self):
        return self.address + "2015-03-31/functions/shade-velocity/invocations"


def good(body=b""):
    return 200, {}, body


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def signature(request, secret):
    """The signature of an AWS request (Signature Version 4) as its receiver makes it: from what came and what it claims to
    have signed. None where it claims nothing."""
    kind, _, rest = request.headers.get("Authorization", "").partition(" ")
    if kind != "AWS4-HMAC-SHA256":
        return None
    claims = dict(part.strip().split("=", 1) for part in rest.split(","))
    scope = claims["Credential"].split("/")[1:]
    names = claims["SignedHeaders"].split(";")
    lines = [f"{name}:{' '.join(request.headers[name].split())}" for name in names]
    url = urlsplit(request.path)
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
                     for name, value in sorted(parse_qsl(url.query, keep_blank_values=True)))
    path = quote(url.path, safe="/-_.~")
    canonical = "\n".join(["POST", path, query, *lines, "", ";".join(names), hashlib.sha256(request.body).hexdigest()])
    signed = "\n".join(["AWS4-HMAC-SHA256", request.headers["X-Amz-Date"], "/".join(scope),
                        hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return claims, scope, names, hmac.new(key, signed.encode(), hashlib.sha256).hexdigest()
