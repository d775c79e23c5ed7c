"""A worker that counts sales and once, at its third batch, does what its first argument says; the second is a file that
tells later workers that it was done. Its third argument, `always`, makes it do it at every batch."""
import base64, json, os, signal, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from runtime_client import Runtime

how, done = sys.argv[1], sys.argv[2]
always = len(sys.argv) > 3


def counts(event):
    types = {}
    for record in event["Records"]:
        kind = json.loads(base64.b64decode(record["kinesis"]["data"]))["type"]
        types[kind] = types.get(kind, 0) + 1
    rows = [{"table": "type_counts", "row": {"type": kind, "events": count}} for kind, count in types.items()]
    return {"merges": rows}


def misbehave(runtime, request_id, event):
    """True where it has answered."""
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exits":
        sys.stderr.write("no more\n")
        sys.exit(3)
    if how == "hangs":
        time.sleep(3600)
    if how == "hangs-with-child":
        if os.fork() == 0:
            time.sleep(3600)
        time.sleep(3600)
    if how == "leaks":
        held = []
        while True:
            held.append(bytearray(16 << 20))
            time.sleep(0.02)
    if how == "garbage":
        runtime.answer(request_id, b"<html>oops")
        return True
    if how == "null":
        runtime.answer(request_id, None)
        return True
    if how == "twice":
        first = runtime.answer(request_id, counts(event))
        second = runtime.answer(request_id, counts(event))
        assert (first, second) == (202, 400), (first, second)
        return True
    if how == "late":
        # Another event's answer, long after it was answered.
        assert runtime.answer("00000000-0000-4000-8000-000000000001", counts(event)) == 400
        return False
    if how == "closes":
        runtime.connection.close()
        runtime.connect()
        return True
    if how == "asks-again":
        return True
    if how == "too-big":
        assert runtime.answer(request_id, b'"' + b"x" * 7_000_000 + b'"') == 413
        return True
    if how == "chatters":
        sys.stdout.write("noise without end\n" * 50_000)
        sys.stdout.flush()
        sys.stderr.write("x" * 1_000_000)
        sys.stderr.flush()
        return False
    if how == "fails":
        runtime.fail(request_id, "not today")
        return True
    raise SystemExit(f"nobody knows how to be {how}")


runtime, batches = Runtime(), 0
while True:
    request_id, headers, event = runtime.next()
    batches += 1
    if always or (batches == 3 and not os.path.exists(done)):
        open(done, "a").close()
        if misbehave(runtime, request_id, event):
            continue
    assert runtime.answer(request_id, counts(event)) == 202
