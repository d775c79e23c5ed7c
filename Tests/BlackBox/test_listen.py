"""`--listen`: what a run says of itself while it replays, hands off and follows a stream that is a directory."""
import gzip, http.client, json, os, shutil, signal, socket, subprocess, tempfile, threading, time, unittest

from streams import KafkaStream
from support import GOOD, ROOT, TOOL, replay

MOCK = os.path.join(ROOT, ".build", "debug", "kafka-mock")
ARCHIVE = os.path.join(GOOD, "confluent-gzip")


class Listening(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.stream = os.path.join(self.home, "stream")
        self.lines = {}
        for partition in range(4):
            folder = os.path.join(ARCHIVE, "topics", "retail", f"partition={partition}")
            archived = b"".join(gzip.open(os.path.join(folder, name)).read() for name in sorted(os.listdir(folder))
                                if name.endswith(".json.gz"))
            self.lines[partition] = archived.splitlines()
            os.makedirs(os.path.join(self.stream, f"partition={partition}"))
            with open(self.file(partition), "wb") as file:
                file.write(archived)
        self.process = None

    def tearDown(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.communicate()
        shutil.rmtree(self.home)

    def file(self, partition):
        return os.path.join(self.stream, f"partition={partition}", "0" * 20 + ".jsonl")

    def append(self, partition):
        with open(self.file(partition), "ab") as file:
            file.write(self.lines[partition][-1] + b"\n")

    def arguments(self, *more):
        return ["--archive", ARCHIVE, "--function", "event-counts", "--function", "recently-viewed", "--store",
                os.path.join(self.home, "t.db"), *more]

    def start(self, listen="127.0.0.1:0", live=None):
        self.process = subprocess.Popen(
            [TOOL, *self.arguments("--live", live or f"dir:{self.stream}", "--listen", listen, "--json")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            event = json.loads(line)
            if event["message_type"] == "listening":
                self.address = event["address"]
                break
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def ask(self, path):
        connection = http.client.HTTPConnection(self.address, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    def until_ready(self):
        deadline = time.monotonic() + 30
        while self.ask("/readyz")[0] != 200:
            self.assertLess(time.monotonic(), deadline, self.ask("/status")[1])
            time.sleep(0.02)

    def test_from_the_archive_to_an_event_that_comes_later(self):
        self.start()
        self.assertEqual(self.ask("/livez"), (200, "ok\n"))
        self.until_ready()
        status = json.loads(self.ask("/status")[1])
        self.assertEqual((status["phase"], status["caught_up"], status["gap"]), ("live", True, 0))
        self.assertEqual([part["partition"] for part in status["partitions"]], ["0", "1", "2", "3"])
        for number, part in enumerate(status["partitions"]):
            count = len(self.lines[number])
            self.assertEqual((part["archive_next"], part["end"]), (f"{count - 1}:1", str(count)))
        self.assertEqual({part["hole"] for part in status["handoff"]["partitions"]}, {0})
        events = sum(map(len, self.lines.values()))
        self.assertEqual(status["events"], events)
        self.assertIn(f'replay_events_applied_total{{function="event-counts"}} {events}\n', self.ask("/metrics")[1])

        next_event = len(self.lines[3])
        code, body = self.ask(f"/wait?partition=3&position={next_event}&timeout=100ms")
        self.assertEqual((code, json.loads(body)["settled"]), (504, False))
        timer = threading.Timer(0.3, self.append, [3])
        timer.start()
        for function in ("", "&function=recently-viewed"):
            code, body = self.ask(f"/wait?partition=3&position={next_event}&timeout=20s{function}")
            self.assertEqual(code, 200, body)
            self.assertEqual(json.loads(body)["as"], "applied")
        done = replay("wait", "--store", os.path.join(self.home, "t.db"), "--position", f"3:{next_event}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(self.ask("/status")[1])["events"], events + 1)

    def test_while_brokers_are_away_it_is_not_ready(self):
        kafka = KafkaStream(MOCK, "retail")
        self.addCleanup(kafka.close)
        kafka.create(4)
        for partition, lines in self.lines.items():
            kafka.append(partition, lines)
        self.start(live=kafka.address)
        self.until_ready()
        self.assertIn("replay_caught_up 1\n", self.ask("/metrics")[1])
        kafka.ask("down 1")
        deadline = time.monotonic() + 10
        while self.ask("/readyz")[0] == 200:
            self.assertLess(time.monotonic(), deadline, "no broker is there, and it says that it is ready")
            time.sleep(0.1)
        self.assertIn("no broker of retail can be reached", self.ask("/readyz")[1])
        self.assertIn("replay_caught_up 0\n", self.ask("/metrics")[1])
        self.assertEqual(self.ask("/livez"), (200, "ok\n"))
        kafka.ask("up 1")
        self.until_ready()
        self.assertEqual(json.loads(self.ask("/status")[1])["not_ready"], None)

    def test_who_waits_is_told_that_the_run_is_over(self):
        self.start()
        self.until_ready()
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(self.ask("/wait?partition=3&position=99999&timeout=10m")))
        waiting.start()
        time.sleep(0.3)
        self.process.send_signal(signal.SIGINT)
        self.assertEqual(self.process.wait(20), 130)
        waiting.join(10)
        self.assertEqual(answers, [(503, "the run is over, and the event is not settled\n")])

    def test_a_run_that_goes_on_in_the_stream_knows_the_archives_positions(self):
        self.assertEqual(replay(*self.arguments("--live", f"dir:{self.stream}", "--until-caught-up")).returncode, 0)
        self.start()
        self.until_ready()
        self.assertEqual(self.ask("/wait?partition=3&position=0")[0], 200)
        self.assertEqual(self.ask("/wait?partition=77&position=0&timeout=10s")[0], 404)

    def test_a_unix_socket(self):
        path = os.path.join(self.home, "socket")
        self.start(f"unix:{path}")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        client.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        answer = b""
        while part := client.recv(4096):
            answer += part
        self.assertTrue(answer.endswith(b"\r\n\r\nok\n"), answer)
        client.close()
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(20), 143)
        self.assertFalse(os.path.exists(path))

    def test_what_cannot_be_listened_on_is_told_before_anything_is_read(self):
        taken = socket.socket()
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for arguments, code in ((["--listen", address], 73), (["--listen", "0.0.0.0:0"], 64), (["--listen", "x"], 64),
                                (["--listen-anywhere"], 64)):
            done = replay(*self.arguments(*arguments))
            self.assertEqual(done.returncode, code, done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.home, "t.db")))
        taken.close()
        done = replay(*self.arguments("--listen", "0.0.0.0:0", "--listen-anywhere"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("listening on http://0.0.0.0:", done.stderr)


if __name__ == "__main__":
    unittest.main()
