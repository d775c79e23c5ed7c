"""Memory: archives that are made to fill it, in a control group of 512 MiB. What they hold is applied, or refused by the limit that is
documented; and the peak of the resident memory is told.

Usage: bombs.py REPLAY [--share 1] [--only NAME …] [--place DIR]. `--share 0.01` makes each a hundredth of its size. Without the right
to make a control group (`/sys/fs/cgroup/memory`, or version 2), only the peak is told.
"""
import argparse, contextlib, gzip, json, os, resource, shutil, sqlite3, subprocess, sys, tempfile, time

GIB = 1 << 30
LIMIT = 512 << 20
# What `make torture` promises, of every case that is not refused.
PEAK = 256 << 20


class Case:
    """An archive below `home`; `flags` of the run, and what it must end with: an exit code, and how many events were applied,
    or a word that the error must hold."""

    def __init__(self, flags, code=0, events=0, word=""):
        self.flags, self.code, self.events, self.word = flags, code, events, word


def event(number, key):
    return json.dumps({"specversion": "1.0", "id": str(number), "source": "/bombs", "type": "retail.product.viewed",
                       "partitionkey": key, "time": "2024-01-01T00:00:00Z",
                       "data": {"customer": key, "product": f"p{number % 1000}", "sku": f"p{number % 1000}"}},
                      separators=(",", ":")).encode() + b"\n"


def repeated(path, piece, times, codec, before=b"", after=b""):
    """`before`, `times` times `piece`, `after`: each a member or frame of its own, so that gigabytes are written at once."""
    def packed(content):
        if codec == "gzip":
            return gzip.compress(content, 9)
        return subprocess.run(["zstd", "-q", "-c", "--check"], input=content, stdout=subprocess.PIPE, check=True).stdout

    whole = packed(piece)
    with open(path, "wb") as file:
        file.write(packed(before) if before else b"")
        for _ in range(times):
            file.write(whole)
        file.write(packed(after) if after else b"")
    return len(piece) * times / max(1, os.path.getsize(path))


def lines(home, codec, share):
    line = event(1, "c1")
    count = (16 << 20) // len(line)
    times = max(1, int(10 * GIB * share) // (count * len(line)))
    ratio = repeated(os.path.join(home, "events"), line * count, times, codec)
    return Case(["--function", "event-counts"], events=count * times), f"{ratio:,.0f}:1"


def one_line(home, codec, share):
    piece = b"a" * (16 << 20)
    ratio = repeated(os.path.join(home, "events"), piece, max(2, int(10 * GIB * share) // len(piece)), codec,
                     before=event(1, "c1") + b'{"id":"2","a":"', after=b'"}\n')
    return Case(["--function", "event-counts"], code=65, word="above the limit of 16777216 bytes"), f"{ratio:,.0f}:1"


def window(home, _, share):
    """A frame that asks for 2 GiB of what was before."""
    source = os.path.join(home, "..", "long")
    with open(source, "wb") as file:
        for number in range(16):
            file.write(event(number, "c1") * 4_000)
    with open(os.path.join(home, "events.zst"), "wb") as file:
        with open(source, "rb") as content:
            subprocess.run(["zstd", "-q", "-c", "--long=31"], stdin=content, stdout=file, check=True)
    os.remove(source)
    return Case(["--function", "event-counts"], code=65, word="window"), "2 GiB window"


def segments(home, _, share):
    count = int(1_000_000 * share)
    for number in range(count):
        with open(os.path.join(home, f"retail-{number % 64}-{number // 64:09d}"), "wb") as file:
            file.write(event(number, f"c{number % 1000}"))
    return Case(["--function", "event-counts"], events=count), f"{count:,} segments"


def keys(home, _, share):
    count = int(10_000_000 * share)
    for part in range(4):
        process = subprocess.Popen(["zstd", "-q", "-1", "-o", os.path.join(home, f"retail-{part}-000000000.zst")],
                                   stdin=subprocess.PIPE)
        template = event(0, "KEY").replace(b'"id":"0"', b'"id":"%d"').replace(b"KEY", b"customer-%09d")
        for number in range(part, count, 4):
            process.stdin.write(template % (number, number, number))
        process.stdin.close()
        process.wait()
    return Case(["--function", "recently-viewed"], events=count), f"{count:,} keys"


CASES = {"gzip-lines": (lines, "gzip"), "zstd-lines": (lines, "zstd"), "gzip-one-line": (one_line, "gzip"),
         "zstd-one-line": (one_line, "zstd"), "zstd-window": (window, None), "segments": (segments, None), "keys": (keys, None)}


@contextlib.contextmanager
def group():
    """A control group's file for its processes, or None where none may be made."""
    for root, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        place = os.path.join(root, f"replay-bombs-{os.getpid()}")
        try:
            os.mkdir(place)
            with open(os.path.join(place, limit), "w") as file:
                file.write(str(LIMIT))
        except OSError:
            with contextlib.suppress(OSError):
                os.rmdir(place)
            continue
        try:
            yield os.path.join(place, "cgroup.procs")
        finally:
            with contextlib.suppress(OSError):
                os.rmdir(place)
        return
    yield None


def run(line, procs):
    """Exit code, what it said, seconds, and the most of resident memory, in bytes."""
    def enter():
        if procs:
            with open(procs, "w") as file:
                file.write(str(os.getpid()))

    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=said, preexec_fn=enter)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        return process.returncode, said.read().decode(), time.monotonic() - began, usage.ru_maxrss << 10


def judge(case, code, said, store, peak, is_grouped):
    if code != case.code:
        return f"exit {code}, expected {case.code}: {said[-600:]}"
    if case.word and case.word not in said:
        return f"the error does not say {case.word!r}: {said[-600:]}"
    if case.code == 0:
        with contextlib.closing(sqlite3.connect(store)) as database:
            applied, = database.execute("SELECT events FROM _replay_functions").fetchone()
        if applied != case.events:
            return f"{applied} events are in the store, {case.events} in the archive"
    if peak > PEAK:
        return f"{peak >> 20} MiB of memory, {PEAK >> 20} are the limit"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--share", type=float, default=1)
    parser.add_argument("--only", nargs="*", default=list(CASES))
    parser.add_argument("--place", default=tempfile.gettempdir())
    given = parser.parse_args()
    wrong = 0
    with group() as procs:
        if not procs:
            print("no control group may be made here: the limit of 512 MiB is not set")
        for name in given.only:
            make, codec = CASES[name]
            # On a disk: what is in memory counts as the run's own.
            work = tempfile.mkdtemp(prefix="replay-bombs-", dir=given.place)
            try:
                home, store = os.path.join(work, "archive"), os.path.join(work, "s.db")
                os.mkdir(home)
                case, what = make(home, codec, given.share)
                code, said, seconds, peak = run(
                    [given.tool, "--archive", home, "--store", store, "--progress", "none", *case.flags], procs)
                problem = judge(case, code, said, store, peak, procs is not None)
                wrong += problem is not None
                print(f"{name:14} {what:>18}: exit {code}, {case.events:,} events, peak {peak / (1 << 20):.0f} MiB, {seconds:.1f} s"
                      + (f"; WRONG: {problem}" if problem else ""), flush=True)
            finally:
                shutil.rmtree(work)
    print(f"{len(given.only) - wrong} passed, {wrong} failed")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
