"""The Runtime API with nothing behind it: hands ready-made batch texts (arguments: a file, one a line) to awslambdaric, which it
starts, and throws the answers away. Prints the seconds from the client's start to its last answer: what the client alone costs."""
import os, socket, subprocess, sys, time


def requests(connection):
    """The method of each request on a kept connection."""
    pending = b""
    while True:
        while b"\r\n\r\n" not in pending:
            more = connection.recv(1 << 20)
            if not more:
                return
            pending += more
        head, _, pending = pending.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0)
        while len(pending) < length:
            pending += connection.recv(1 << 20)
        pending = pending[length:]
        yield head[:4]


with open(sys.argv[1], "rb") as file:
    batches = file.read().splitlines()
head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: %d\r\n" \
       b"Lambda-Runtime-Deadline-Ms: 4000000000000\r\nLambda-Runtime-Invoked-Function-Arn: arn\r\nContent-Length: %d\r\n\r\n"
taken = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
here = os.path.dirname(os.path.abspath(__file__))
with socket.create_server(("127.0.0.1", 0)) as server:
    began = time.perf_counter()
    client = subprocess.Popen([sys.executable, "-m", "awslambdaric", "counts.handler"], cwd=here, env={
        **os.environ, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % server.getsockname()[1], "LAMBDA_TASK_ROOT": here,
        "_HANDLER": "counts.handler", "AWS_LAMBDA_FUNCTION_NAME": "counts", "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    given = 0
    for method in requests(connection):
        if method != b"GET ":
            connection.sendall(taken)
        elif given < len(batches):
            connection.sendall(head % (given, len(batches[given])))
            connection.sendall(batches[given])
            given += 1
        else:
            break
    print(time.perf_counter() - began)
    client.kill()
    client.wait()
