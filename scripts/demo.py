"""The demo: a retail archive of 1,000,000 events, a stream that is appended to all the while, two functions in one read, a
kill half-way, a resume, the handoff, a receipt that is waited for, the answer.

Usage: demo.py REPLAY [DIRECTORY]. Everything it makes is in DIRECTORY (default: demo/).
"""
import glob, json, os, random, shutil, signal, sqlite3, subprocess, sys, threading, time

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


class Producer:
    """Sells, all the while: appends to the stream dir:demo/retail, which remembers only the end of what was archived."""

    def __init__(self, tool, home):
        self.tool, self.home, self.sold, self.receipts = tool, home, [], []
        self.stream = os.path.join(home, "retail")
        self.chance, self.stopped = random.Random(7), threading.Event()
        for partition in range(4):
            last = max(glob.glob(os.path.join(home, "events", "zstd", "topics", "retail", f"partition={partition}", "*")))
            start = int(last.rsplit("+", 1)[1].split(".")[0])
            directory = os.path.join(self.stream, f"partition={partition}")
            os.makedirs(directory)
            with open(os.path.join(directory, f"{start:020}.jsonl"), "wb") as file:
                subprocess.run(["zstd", "-dcq", last], stdout=file, check=True)
        self.thread = threading.Thread(target=self.work)

    def sale(self):
        number = len(self.sold)
        return {"specversion": "1.0", "id": f"live-{number}", "type": "retail.item.sold",
                "time": f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}Z", "partitionkey": f"c-{number % 1000:07}",
                "data": {"category": "cosmetics", "shade": self.chance.choice(["coral", "nude", "live pink"]),
                         "price": self.chance.randint(100, 9999) / 100, "quantity": self.chance.randint(1, 3)}}

    def append(self, partition, count):
        sales = [self.sale() for _ in range(count)]
        done = subprocess.run([self.tool, "append", "dir:" + self.stream, "--partition", str(partition)], check=True,
                              input="".join(json.dumps(sale) + "\n" for sale in sales), capture_output=True, text=True)
        self.sold += sales
        self.receipts += done.stdout.split()

    def work(self):
        while not self.stopped.is_set():
            self.append(self.chance.randrange(4), 5)
            time.sleep(0.02)

    def stop(self):
        self.stopped.set()
        self.thread.join()


def replay(tool, home, *more):
    command = [tool, "--archive", os.path.join(home, "events", "zstd"), "--function", "shade-velocity", "--function",
               "recently-viewed", "--store", os.path.join(home, "retail.db"), "--live",
               "dir:" + os.path.join(home, "retail")] + list(more)
    short = [part.replace(home, os.path.relpath(home)) for part in command]
    short[0] = os.path.relpath(tool)
    show("   $ " + " ".join(short))
    return command


def settled(store):
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
            return database.execute("SELECT min(events) FROM _replay_functions").fetchone()[0] or 0
    except sqlite3.OperationalError:
        return 0


def kill_half_way(tool, home):
    show("3. Replay the archive, with the stream behind it, and kill -9 the process once half of it is committed")
    store = os.path.join(home, "retail.db")
    process = subprocess.Popen(replay(tool, home, "--commit-interval", "0.05"))
    while process.poll() is None and settled(store) < 500_000:
        time.sleep(0.005)
    process.kill()
    process.wait()
    show(f"   killed; {settled(store):,} events are committed")


def go_live(tool, home, producer):
    show("4. Run the same command again: it goes on where the last commit was, and hands off to the stream")
    process = subprocess.Popen(replay(tool, home, "--handoff-report", os.path.join(home, "handoff.json")))
    store = os.path.join(home, "retail.db")
    while process.poll() is None and phase(store) != "live":
        time.sleep(0.01)
    show("5. It is live. Append one more event, take its receipt, and wait until its row is there")
    producer.stop()
    producer.append(2, 1)
    receipt = producer.receipts[-1]
    wait = [tool, "wait", "--store", store, "--function", "shade-velocity", "--position", receipt, "--timeout", "30s"]
    show(f"   $ replay wait --store demo/retail.db --function shade-velocity --position {receipt} --timeout 30s")
    began = time.time()
    answered = subprocess.run(wait, check=True, capture_output=True, text=True).stdout.strip()
    show(f"   {answered}, {1000 * (time.time() - began):.0f} ms after it was asked for")
    for partition in range(4):
        last = [r for r in producer.receipts if r.startswith(f"{partition}:")][-1:]
        for receipt in last:
            subprocess.run(wait[:-3] + [receipt, "--timeout", "30s"], check=True, capture_output=True)
    process.send_signal(signal.SIGTERM)
    process.wait()


def phase(store):
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
            return (database.execute("SELECT min(phase) FROM _replay_functions").fetchone() or ["archive"])[0]
    except sqlite3.OperationalError:
        return "archive"


def add(tally, sold):
    """The generator's tally with what was sold since."""
    shades = {row[0]: row[1:] for row in tally["shade_velocity"]}
    for sale in sold:
        data, day = sale["data"], sale["time"][:10]
        units, cents, first, last = shades.get(data["shade"], [0, 0, day, day])
        shades[data["shade"]] = [units + data["quantity"], cents + round(data["price"] * 100) * data["quantity"],
                                 min(first, day), max(last, day)]
    return sorted([shade, *values] for shade, values in shades.items())


def answer(home, sold):
    tally = json.load(open(os.path.join(home, "tally.json")))
    show("6. The answer: units and revenue of each blush shade")
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
    same = found == add(tally, sold) and rows == tally["recently_viewed_rows"]
    show(f"   {'equal' if same else 'NOT EQUAL'} to the tally of the generator and the producer: {len(found)} shades, "
         f"{rows:,} viewed rows, {len(sold)} sales from the stream, each once")
    return same


def main():
    tool = os.path.abspath(sys.argv[1])
    home = sys.argv[2] if len(sys.argv) > 2 else os.path.normpath(os.path.join(HERE, "..", "demo"))
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home)
    began = time.time()
    make_archive(home)
    show("2. A producer begins to append to the stream dir:demo/retail, which remembers the end of the archive only")
    producer = Producer(tool, home)
    producer.thread.start()
    try:
        kill_half_way(tool, home)
        go_live(tool, home, producer)
    finally:
        producer.stop()
    same = answer(home, producer.sold)
    show(f"   the whole demo took {time.time() - began:.1f} s; it is all in {os.path.relpath(home)}/")
    sys.exit(not same)


if __name__ == "__main__":
    main()
