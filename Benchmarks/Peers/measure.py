"""One measured run: a fresh process, its wall time, and the processor time and peak memory of it and its children."""
import json
import os
import signal
import subprocess
import tempfile
import threading
import time


def run(command, limit, environment=None):
    """Runs `command` for at most `limit` seconds; a dictionary of what was measured.

    `failed` is None or the reason in words; `said` the last line of standard output, parsed where it is JSON.
    `peak_mib` is that of the largest process. This process must stay small itself: until the child has replaced
    its program, it counts as large as its parent (which is why answers are compared in a process of their own).
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                                   env={**os.environ, **(environment or {})}, start_new_session=True)
        late = threading.Event()

        def stop():
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(limit, stop)
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        timer.cancel()
        process.returncode = code = os.waitstatus_to_exitcode(status)
        words = last_line(err)
        said = last_line(out)
    failed = None
    if late.is_set():
        failed = f"not done after {limit:.0f} s"
    elif code < 0:
        failed = f"killed by {signal.Signals(-code).name}" + (f": {words}" if words else "")
    elif code > 0:
        failed = f"exit {code}: {words}"
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024,
            "failed": failed, "said": parsed(said)}


def last_line(file):
    """The last line that is not blank, 200 characters of it at most."""
    file.seek(0)
    lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""


def parsed(line):
    """The line's JSON object, or an empty one."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
