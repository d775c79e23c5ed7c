"""One cent in 200,000 rows: two builds whose functions differ at one event, `compare` and `diff`; and two equal builds, made by 1
and by 16 lanes. Usage: one_cent.py [--keys 200000] [--postgres]. Prints what each said and how long it took."""
import argparse, json, sys, time

import builds
from builds import Postgres, SQLite, World
from postgres_server import Server
from support import replay


def timed(what, done, code=0):
    began = time.monotonic()
    done = done()
    print(f"{what}: exit {done.returncode}, {time.monotonic() - began:.1f} s")
    if done.returncode != code:
        sys.exit(done.stdout + done.stderr)
    return done.stdout + done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=200_000)
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    builds.KEYS = given.keys // builds.PARTITIONS * 2
    server = Server(durable=False) if given.postgres else None
    world = World((lambda _: Postgres(server, "cents")) if server else SQLite, archived=given.keys // builds.PARTITIONS * 2)
    try:
        run = lambda verb, tag, lanes, *more: replay(
            verb, *world.arguments(tag, False, *more), "--workers", lanes, timeout=900)
        timed("build 1, one lane", lambda: run("run", 1, 1))
        timed("build 2, 16 lanes", lambda: run("rebuild", 1, 16))
        print(timed("compare of equal builds", lambda: world.ask("compare")))
        timed("prune", lambda: world.ask("prune", "--build", "2", "--yes"))
        timed("build 3, a cent more at event 1-7", lambda: run("rebuild", 3, 2))
        print(timed("compare", lambda: world.ask("compare", "--ignore", "tag"), 4))
        print(timed("diff", lambda: replay(
            "diff", "--archive", world.archive.root, *world.function(1), *world.function(3)[:2], "--ignore", "tag", "--rows", 1, timeout=900), 4))
        print("the event:", next(e for e in world.events[1] if e["id"] == "1-7"))
    finally:
        world.close()
        if server:
            server.close()


if __name__ == "__main__":
    main()
