"""Readers while builds change places: two runs follow a stream that is written to, readers join both tables all the time on
connections that stay, and cutover and rollback take turns. Usage: switches.py [--switches 40] [--readers 4] [--sqlite]. Prints the
slowest answer with and without switches, and exits 1 at an error or an answer of two builds."""
import argparse, sqlite3, sys, time

from builds import Postgres, Readers, Session, SQLite, World
from postgres_server import Server


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--switches", type=int, default=40)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--sqlite", action="store_true")
    given = parser.parse_args()
    server = None if given.sqlite else Server(durable=False)
    world = World(SQLite if given.sqlite else lambda _: Postgres(server, "switches"))

    def connect():
        if server:
            return Session(server, "switches", Readers.JOINED)
        database = sqlite3.connect(f"file:{world.store.name}?mode=ro", uri=True, timeout=10)
        return lambda sql: database.execute(sql).fetchall()

    try:
        world.produce()
        world.serve(1)
        building = Readers(connect, given.readers)
        world.rebuild(2)
        building.end()
        calm = Readers(connect, given.readers)
        time.sleep(10)
        calm.end()
        readers, took, tries = Readers(connect, given.readers), [], 0
        for number in range(given.switches):
            verb = ["rollback"] if number % 2 else ["cutover", "--build", "2", "--unproved"]
            done = world.ask(*verb)
            if done.returncode != 0:
                sys.exit(done.stderr)
            took.append(int(done.stderr.split("transaction of ")[1].split(" ms")[0]))
            time.sleep(0.3)
        readers.end()
        wanted = world.settle()
        same = world.rows()[0] == wanted and world.rows("__2")[0] == wanted
        faults = building.faults + calm.faults + readers.faults
        print(f"{given.switches} switches, {given.readers} readers: {len(faults)} faults, {len(readers.seen) - 1} changes seen, "
              f"rows of both builds {'equal' if same else 'DIFFERENT'}")
        print(f"slowest answer: {building.slowest * 1000:.0f} ms while built, {calm.slowest * 1000:.0f} ms while nothing switched, "
              f"{readers.slowest * 1000:.0f} ms with switches; transactions {min(took)} to {max(took)} ms")
        sys.exit(1 if faults or not same else 0)
    finally:
        world.close()
        if server:
            server.close()


if __name__ == "__main__":
    main()
