"""Kills the tool at random system calls or times, resumes, and compares the whole database with an undisturbed run's.

Usage: kill.py REPLAY [--points 200] [--seed 1]. Each point draws where to kill (the n-th of one kind of system call, or
a time), how many lanes each run has, how often it commits, and sometimes kills the resumed run too. The database is
compared table by table in key order, positions included.
"""
import argparse, contextlib, os, random, shutil, sqlite3, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
GENERATE = os.path.join(HERE, "..", "..", "fixtures", "generate.py")
FUNCTIONS = ["shade-velocity", "recently-viewed", "event-counts"]
CALLS = ["pwrite64", "fsync,fdatasync", "ftruncate", "unlink", "write", "pread64"]


def dump(path):
    """Every row that a user or a later run can see, in key order, without times, owners, command lines and counts of runs."""
    # Closed here: a connection that is closed some time later would take the log of whatever has this path by then.
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = [r[0] for r in database.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")]
        found = {}
        for table in tables:
            columns = [r[1] for r in database.execute(f"PRAGMA table_info({table})")]
            columns = [c for c in columns if c not in ("fence", "owner", "epochs", "updated_at", "command")]
            names = ", ".join(columns)
            found[table] = database.execute(f"SELECT {names} FROM {table} ORDER BY {names}").fetchall()
        return found


def command(tool, archive, store, chance):
    functions = [part for name in FUNCTIONS for part in ("--function", name)]
    return [tool, "--archive", archive, "--store", store, "--progress", "none", "--lanes", str(chance.randint(1, 8)),
            "--commit-interval", str(chance.choice([0.001, 0.01, 0.05, 10])),
            # A twelfth of it, changed by a partition that is read to its end, is written while the others are read.
            "--commit-bytes", str(chance.choice([200_000, 1_000_000, 192 << 20])),
            "--block-bytes", str(chance.choice([4096, 65536, 262144]))] + functions


def kill_once(run, chance, seconds):
    """Runs until the kill; True where the run was killed, False where it ended by itself."""
    if chance.random() < 0.7:
        calls, number = chance.choice(CALLS), int(chance.paretovariate(0.5))
        run = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={calls}",
               "-e", f"inject={calls}:signal=KILL:when={min(number, 400)}"] + run
        process = subprocess.run(run, capture_output=True)
        return process.returncode != 0
    process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(chance.uniform(0, seconds))
    process.kill()
    return process.wait() != 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=20000)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    scratch = tempfile.mkdtemp()
    archives = {}
    for layout in ("confluent", "hourly"):
        archives[layout] = os.path.join(scratch, layout)
        subprocess.run([sys.executable, GENERATE, "archive", "--out", archives[layout], "--events", str(options.events),
                        "--codec", "zstd", "--layout", layout, "--segments", "6", "--customers", "500",
                        "--years", "1" if layout == "confluent" else "0.02"], check=True, stdout=subprocess.DEVNULL)
    wanted, seconds = {}, {}
    for layout, archive in archives.items():
        store, began = os.path.join(scratch, layout + ".db"), time.time()
        subprocess.run(command(options.tool, archive, store, random.Random(0)), check=True, capture_output=True)
        wanted[layout], seconds[layout] = dump(store), time.time() - began
    killed = wrong = 0
    while killed < options.points:
        layout = chance.choice(list(archives))
        store = os.path.join(scratch, "killed.db")
        for end in ("", "-wal", "-shm"):
            if os.path.exists(store + end):
                os.remove(store + end)
        kills = 0
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            kills += kill_once(command(options.tool, archives[layout], store, chance), chance, seconds[layout])
        if kills == 0:
            continue
        killed += 1
        done = subprocess.run(command(options.tool, archives[layout], store, chance), capture_output=True, text=True)
        if done.returncode != 0 or dump(store) != wanted[layout]:
            wrong += 1
            kept = os.path.join(tempfile.gettempdir(), f"replay-kill-{options.seed}-{killed}.db")
            shutil.copy(store, kept)
            print(f"point {killed} ({layout}, seed {options.seed}): exit {done.returncode}, kept {kept}\n{done.stderr}")
    shutil.rmtree(scratch)
    print(f"seed {options.seed}: {killed - wrong} of {killed} kill points resumed to the same database")
    print(f"{killed - wrong} passed, {wrong} failed")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
