"""As `order_lambda.py`, a service: single CloudEvents, and Lambda's Invoke. A connection's thread has its own file; instead of
being killed it closes the connection. Prints its port."""
import json, os, random, socketserver, sys, threading, time
from http.server import BaseHTTPRequestHandler

folder, seed, often = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
numbers = iter(range(1 << 60))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self):
        super().setup()
        number = next(numbers)
        self.dice = random.Random(f"{seed} {number}")
        self.file = open(os.path.join(folder, f"{os.getpid()}-{number}"), "w")

    def finish(self):
        self.file.close()
        super().finish()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        attempt = self.headers["replay-run"] + "." + self.headers["replay-attempt"]
        calm = os.path.exists(folder + ".calm")
        fate = self.dice.random() * 1_000_000 / often if often and not calm else 9
        if "replay-position" in self.headers:
            place = f"{self.headers['replay-partition']}:{self.headers['replay-position']}"
            self.note(f"{attempt} {place} {self.headers['ce-partitionkey']}\n")
            return self.end(fate, 200, b"")
        records = json.loads(body)["Records"]
        cut = self.dice.randrange(len(records)) if fate < 4 else len(records)
        self.note("".join(f"{attempt} {record['eventID']} {record['kinesis']['partitionKey']}\n"
                          for record in records[:cut + 1]))
        failed = [{"itemIdentifier": records[cut]["kinesis"]["sequenceNumber"]}] if 2 <= fate < 4 else []
        self.end(fate, 200, json.dumps({"batchItemFailures": failed}).encode())

    def note(self, lines):
        self.file.write(lines)
        self.file.flush()

    def end(self, fate, status, body):
        if fate < 1:
            self.close_connection = True
            return
        if fate < 2:
            status, body = 500, b"by chance"
        elif 4 <= fate < 6:
            time.sleep(self.dice.random() * 0.05)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass  # a run that was killed


with Server(("127.0.0.1", 0), Handler) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
