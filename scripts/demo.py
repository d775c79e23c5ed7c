"""The demo: a retail archive of 1,000,000 events, two functions in one read, a kill half-way, a resume, the answer.

Usage: demo.py REPLAY [DIRECTORY]. Everything it makes is in DIRECTORY (default: demo/).
"""
import json, os, shutil, sqlite3, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
GENERATE = os.path.join(HERE, "..", "fixtures", "generate.py")


def show(line=""):
    print(line, flush=True)


def make_archive(home):
    show("1. A retail archive: 1,000,000 events, 3 years, 4 partitions, as a Kafka Connect S3 sink writes it (gzip and zstd)")
    began = time.time()
    subprocess.run([sys.executable, GENERATE, "archive", "--out", os.path.join(home, "events"), "--events", "1000000",
                    "--codec", "both", "--partitions", "4", "--segments", "8", "--years", "3", "--customers", "20000",
                    "--tally", os.path.join(home, "tally.json")], check=True, stdout=subprocess.DEVNULL)
    show(f"   made in {time.time() - began:.1f} s")


def replay(tool, home, codec, *more):
    archive, store = os.path.join(home, "events", codec), os.path.join(home, "retail.db")
    command = [tool, "--archive", archive, "--function", "shade-velocity", "--function", "recently-viewed",
               "--store", store] + list(more)
    show("   $ " + " ".join(os.path.relpath(part) if os.sep in part else part for part in command))
    return command


def settled(store):
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
            return database.execute("SELECT min(events) FROM _replay_functions").fetchone()[0] or 0
    except sqlite3.OperationalError:
        return 0


def kill_half_way(tool, home):
    show("2. Replay it, and kill -9 the process once half of it is committed")
    store = os.path.join(home, "retail.db")
    process = subprocess.Popen(replay(tool, home, "zstd", "--commit-interval", "0.05"))
    while process.poll() is None and settled(store) < 500_000:
        time.sleep(0.005)
    process.kill()
    process.wait()
    show(f"   killed; {settled(store):,} events are committed")


def resume(tool, home):
    show("3. Run the same command again: it goes on where the last commit was")
    subprocess.run(replay(tool, home, "zstd", "--report", os.path.join(home, "report.json")), check=True)


def answer(home):
    tally = json.load(open(os.path.join(home, "tally.json")))
    show("4. The answer: units and revenue of each blush shade")
    with sqlite3.connect(os.path.join(home, "retail.db")) as database:
        found = [list(row) for row in database.execute("SELECT * FROM shade_velocity ORDER BY shade")]
        for shade, units, cents, first, last in sorted(found, key=lambda row: -row[1])[:5]:
            show(f"   {shade:<14} {units:>6} units  {cents / 100:>12,.2f}  {first} … {last}")
        show("   and what one customer viewed last")
        query = ("SELECT * FROM recently_viewed WHERE customer = (SELECT min(customer) FROM recently_viewed) "
                 "ORDER BY rank LIMIT 3")
        for customer, rank, sku, at in database.execute(query):
            show(f"   {customer}  {rank}  {sku}  {at}")
        rows = database.execute("SELECT count(*) FROM recently_viewed").fetchone()[0]
    same = found == [list(row) for row in tally["shade_velocity"]] and rows == tally["recently_viewed_rows"]
    show(f"   {'equal' if same else 'NOT EQUAL'} to the generator's own tally: {len(found)} shades, {rows:,} viewed rows")
    return same


def main():
    tool = os.path.abspath(sys.argv[1])
    home = sys.argv[2] if len(sys.argv) > 2 else os.path.normpath(os.path.join(HERE, "..", "demo"))
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home)
    began = time.time()
    make_archive(home)
    kill_half_way(tool, home)
    resume(tool, home)
    same = answer(home)
    show(f"   the whole demo took {time.time() - began:.1f} s; it is all in {os.path.relpath(home)}/")
    sys.exit(not same)


if __name__ == "__main__":
    main()
