"""A program that counts sales, an answer for each line, and once, at its 20th event, does what its first argument says; the
second is a file that tells later workers that it was done; `always` as third makes it do it at every event."""
import json, os, signal, sys, time

how, done = sys.argv[1], sys.argv[2]
always = len(sys.argv) > 3


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def misbehave():
    """True where it has answered."""
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exits":
        sys.exit(3)
    if how == "ends-well":
        sys.exit(0)
    if how == "hangs":
        time.sleep(3600)
    if how == "leaks":
        held = []
        while True:
            held.append(bytearray(16 << 20))
            time.sleep(0.02)
    if how == "garbage":
        say("oops")
        return True
    if how == "null":
        say("null")
        return True
    if how == "complains":
        sys.stderr.write("Traceback (most recent call last):\n  not this one\n")
        sys.stderr.flush()
        return True
    if how == "twice":
        say("{}")
        return False
    if how == "too-big":
        say('"' + "x" * 7_000_000 + '"')
        return True
    if how == "closes":
        os.close(1)
        time.sleep(3600)
    if how == "no-newline":
        sys.stdout.write("{}")
        sys.stdout.flush()
        time.sleep(3600)
    raise SystemExit(f"nobody knows how to be {how}")


for number, line in enumerate(sys.stdin, 1):
    event = json.loads(line)
    if always or (number == 20 and not os.path.exists(done)):
        open(done, "a").close()
        if misbehave():
            continue
    say(json.dumps({"merges": [{"table": "type_counts", "row": {"type": event["event"]["type"], "events": 1}}]}))
