"""Services behind HTTP that misbehave: the run stops at the event, or goes on, and says which."""
import os, shutil, subprocess, threading, time, unittest

from http_services import Service, free_port, good
from support import replay
from test_http_function import Case, answer_binary, rows


class Hostile(Case):
    """One event of the small archive meets a service that misbehaves: the run stops exactly there."""

    def stops(self, answer, *more, form="binary", said=""):
        with Service(lambda r: answer(r) if b'"n": 7' in r.body else good(b"{}")) as service:
            store = self.store()
            began = time.monotonic()
            done = self.run_small(service.address, "--http-form", form, *more, store=store)
            self.took = time.monotonic() - began
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("position 7 of partition plain/0", done.stderr)
        self.assertIn("effect: 7 events of this run are committed, partition plain/0 through position 6", done.stderr)
        self.assertIn(said, done.stderr)
        with Service(lambda _: good()) as mended:
            done = self.run_small(mended.address, "--http-form", form, store=store)
            self.assertEqual(done.returncode, 0, done.stderr)
        if form == "binary":
            self.assertEqual([request.position for request in mended.requests], list(range(7, 12)))
        return service

    def test_an_error(self):
        for form in ("binary", "structured", "batched"):
            with self.subTest(form):
                self.stops(lambda _: (500, {}, b"line 1\r\nline 2" + b"x" * 5000), form=form, said="status 500: line 1\\x0d\\x0aline 2")

    def test_a_redirect_is_not_followed(self):
        service = self.stops(lambda _: (307, {"Location": "http://127.0.0.1:9/"}, b""), said="status 307")
        self.assertEqual(len({request.path for request in service.requests}), 1)

    def test_no_answer_in_time(self):
        self.stops(lambda _: time.sleep(1.5), "--function-timeout", 0.4, said="did not answer within 400 ms")

    def test_an_answer_that_is_dribbled(self):
        def answer(_):
            time.sleep(1)
            return good(b"{}")
        self.stops(answer, "--function-timeout", 0.4, form="structured", said="did not answer within 400 ms")

    def test_a_connection_that_ends(self):
        self.stops(lambda _: None, said="closed the connection")
        self.stops(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"mer", said="did not answer")
        self.stops(lambda _: b"\x00\x01garbage\r\n\r\n", said="did not answer")

    def test_an_answer_that_is_too_long(self):
        self.stops(lambda _: good(b" " * 7_000_000), said="more than 6291456 bytes")

    def test_busy_for_too_long(self):
        self.stops(lambda _: (503, {"Retry-After": 100}, b"later"), "--function-timeout", 2, said="asked to be called again after 100")
        self.assertLess(self.took, 10)

    @unittest.skipUnless("--retries " in replay("help", "run").stdout, "this tool has no retries")
    def test_retries(self):
        turns = iter(range(100))
        def answer(request):
            return good(b"{}") if b'"n": 7' not in request.body or next(turns) == 2 else (500, {}, b"")
        with Service(answer) as service:
            done = self.run_small(service.address, "--retries", 3)
        self.assertEqual(done.returncode, 0, done.stderr)
        tried = [(request.position, request.headers["replay-attempt"]) for request in service.requests]
        self.assertEqual(tried, [(n, "1") for n in range(8)] + [(7, "2"), (7, "3")] + [(n, "3") for n in range(8, 12)])

    def test_retry_after_is_no_attempt(self):
        turns = iter(range(100))
        def answer(_):
            return (503, {"Retry-After": 1}, b"") if next(turns) in (3, 4) else good()
        with Service(answer) as service:
            began = time.monotonic()
            done = self.run_small(service.address)
            self.assertGreater(time.monotonic() - began, 2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(service.requests), 14)
        self.assertEqual({request.headers["replay-attempt"] for request in service.requests}, {"1"})

    def test_no_json(self):
        def answer(request):
            return good(b"{oh}") if request.position > 2500 else answer_binary(request)
        with Service(answer) as service:
            store = self.store()
            done = self.run_shade(service.address, store)
            self.assertEqual(done.returncode, 65, done.stderr)
            self.assertIn("it answered no JSON", done.stderr)
        with Service(answer_binary) as service:
            done = self.run_shade(service.address, store)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(rows(store), self.expected)

    def test_nobody_is_there(self):
        began = time.monotonic()
        done = self.run_small(f"http://127.0.0.1:{free_port()}/path?code=geheim", "--function-start-timeout", 1)
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("cannot be reached", done.stderr)
        self.assertNotIn("geheim", done.stderr)

    def test_it_comes_late(self):
        port = free_port()
        started = []
        def start():
            time.sleep(1)
            started.append(Service(lambda _: good(), port=port).__enter__())
        thread = threading.Thread(target=start)
        thread.start()
        done = self.run_small(f"http://127.0.0.1:{port}/")
        thread.join()
        started[0].__exit__()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(started[0].requests), 12)

    @unittest.skipUnless(shutil.which("openssl"), "openssl makes the certificate")
    def test_a_certificate_that_nobody_signed(self):
        import ssl
        key, certificate = (os.path.join(self.place, name) for name in ("key.pem", "certificate.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        with Service(lambda _: good()) as service:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            service.server.socket = context.wrap_socket(service.server.socket, server_side=True)
            done = self.run_small(service.address.replace("http://", "https://"))
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("certificate", done.stderr)
        self.assertEqual(service.requests, [])


if __name__ == "__main__":
    unittest.main()
