"""Whether the harnesses have teeth: deliberate faults are put into a copy of the product, each is switched on by itself, and
some harness has to notice.

Usage: seeded_bugs.py [--bugs NAME ...] [--jobs 2] [--seed 1] [--patience 1] [--tree DIR] [--out FILE]. The faults are in
`seeded/`. The copy is built once, with all of them in it; the variable REPLAY_SEEDED_BUG says which one a process has. First every harness must
pass while none is on. Then each fault is given to the harness that should find it, and to all others where that does not.
A fault that nobody finds is a failure, and so is one whose place in the sources is no longer there.
"""
import argparse, concurrent.futures, json, os, shutil, subprocess, sys, time

from seeded import BUGS, SEEDS
from seeded.harnesses import HARNESSES, Bench
from seeded.table import faults, planted

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
SWITCH = """\
import Glibc

/// The deliberate fault that this process has, if any.
public enum SeededBug {
  private static let name = getenv("REPLAY_SEEDED_BUG").map { String(cString: $0) }
  public static func isOn(_ bug: String) -> Bool { name == bug }
}
"""


def sources():
    """The product's files as they are to be built, by path below the root; those with faults in them planted."""
    seeds = {}
    for seed in SEEDS:
        seeds.setdefault(os.path.join("Sources", seed.file), []).append(seed)
    found = {"Sources/ReplayCore/SeededBug.swift": SWITCH.encode()}
    for folder in ("Sources", "Tests"):
        for home, folders, names in os.walk(os.path.join(ROOT, folder)):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in names:
                path = os.path.relpath(os.path.join(home, name), ROOT)
                with open(os.path.join(ROOT, path), "rb") as file:
                    found[path] = file.read()
    with open(os.path.join(ROOT, "Package.swift"), "rb") as file:
        found["Package.swift"] = file.read()
    for path, own in seeds.items():
        text = planted(path, found[path].decode(), own)
        if path.endswith(".swift") and "import ReplayCore\n" not in text and "/ReplayCore/" not in path:
            # Alone: other names of that room may be those of the file already.
            text = "import enum ReplayCore.SeededBug\n" + text
        found[path] = text.encode()
    return found


def copy(tree):
    """Writes what differs, so that a second build has little to do."""
    wanted = sources()
    for folder in ("Sources", "Tests"):
        for home, _, names in os.walk(os.path.join(tree, folder)):
            for name in names:
                if os.path.relpath(os.path.join(home, name), tree) not in wanted:
                    os.remove(os.path.join(home, name))
    for path, content in wanted.items():
        to = os.path.join(tree, path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if not os.path.exists(to) or open(to, "rb").read() != content:
            with open(to, "wb") as file:
                file.write(content)
            shutil.copymode(os.path.join(ROOT, path) if os.path.exists(os.path.join(ROOT, path)) else __file__, to)
    for name in ("fixtures", "docs", "README.md"):
        if not os.path.lexists(os.path.join(tree, name)):
            os.symlink(os.path.join(ROOT, name), os.path.join(tree, name))


def build(tree, warm):
    """Builds the tools; with the packages that the build at `warm` has fetched."""
    for name in ("checkouts", "repositories", "workspace-state.json"):
        here, there = os.path.join(warm, name), os.path.join(tree, ".build", name)
        if os.path.exists(here) and not os.path.exists(there):
            os.makedirs(os.path.dirname(there), exist_ok=True)
            (shutil.copytree if os.path.isdir(here) else shutil.copy)(here, there)
    for product in ("replay", "kafka-mock", "failing-tool"):
        subprocess.run(["swift", "build", "-c", "release", "--package-path", tree, "--product", product], check=True,
                       stdout=sys.stderr)
    # Where black-box tests look for them.
    os.makedirs(os.path.join(tree, ".build", "debug"), exist_ok=True)
    for product in ("kafka-mock", "failing-tool"):
        link = os.path.join(tree, ".build", "debug", product)
        if not os.path.lexists(link):
            os.symlink(os.path.join(tree, ".build", "release", product), link)


def hunt(bench, bug):
    """Who finds it: the harness, what it said, the seconds that it took, and those of all that were asked."""
    began = time.monotonic()
    for name in [bug.harness] + [other for other in HARNESSES if other != bug.harness]:
        verdict = bench.run(name, bug.name)
        if verdict.found:
            return {"bug": bug.name, "what": bug.says, "expected": bug.harness, "found by": name,
                    "seconds": round(verdict.seconds, 1), "seconds in all": round(time.monotonic() - began, 1),
                    "said": verdict.found}
    return {"bug": bug.name, "what": bug.says, "expected": bug.harness, "found by": None,
            "seconds in all": round(time.monotonic() - began, 1)}


def told(row):
    if row["found by"] is None:
        return f"NOT FOUND: {row['bug']} ({row['what']}), by any harness in {row['seconds in all']} s"
    surprise = "" if row["found by"] == row["expected"] else f", not by {row['expected']}"
    return f"{row['bug']}: found by {row['found by']}{surprise} in {row['seconds']} s: {row['said']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bugs", nargs="+", choices=[bug.name for bug in BUGS], metavar="NAME", help="only these")
    parser.add_argument("--jobs", type=int, default=2, help="harnesses at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tree", default=os.path.join(ROOT, ".build_seeded"), help="where the copy is made and kept")
    parser.add_argument("--warm", default=os.path.join(ROOT, ".build"), help="a build whose fetched packages are used")
    parser.add_argument("--python", default=os.path.join(ROOT, ".build", "python", "bin"))
    parser.add_argument("--patience", type=float, default=1, help="of a busy machine: by how much limits of time are longer")
    parser.add_argument("--out", help="a JSON file for what was found")
    options = parser.parse_args()
    if wrong := faults(BUGS, SEEDS, HARNESSES):
        sys.exit("\n".join(wrong))
    began, tree = time.monotonic(), os.path.abspath(options.tree)
    copy(tree)
    build(tree, options.warm)
    built, bench = time.monotonic(), Bench(tree, options.seed, options.python, options.patience)
    bugs = [bug for bug in BUGS if not options.bugs or bug.name in options.bugs]
    asked = list(HARNESSES) if not options.bugs else sorted({bug.harness for bug in bugs})
    print(f"seed {options.seed}, {len(bugs)} faults, {len(asked)} harnesses, built in {built - began:.0f} s", flush=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        calm = dict(zip(asked, pool.map(lambda name: bench.run(name, None), asked)))
        for name, verdict in calm.items():
            if verdict.found:
                print(f"{name} fails though no fault is on, after {verdict.seconds:.0f} s: {verdict.found}")
        if any(verdict.found for verdict in calm.values()):
            print(f"0 passed, {len(bugs)} failed")
            sys.exit(1)
        print(f"no fault on: {len(asked)} of {len(asked)} harnesses pass", flush=True)
        rows = []
        for row in pool.map(lambda bug: hunt(bench, bug), bugs):
            rows.append(row)
            print(told(row), flush=True)
    missed = sum(row["found by"] is None for row in rows)
    seconds = time.monotonic() - built
    if options.out:
        with open(options.out, "w") as file:
            json.dump({"command": " ".join(sys.argv), "seed": options.seed, "jobs": options.jobs,
                       "seconds": round(seconds), "load": os.getloadavg()[0], "when": time.strftime("%FT%TZ", time.gmtime()),
                       "harnesses with no fault, seconds": {name: round(one.seconds, 1) for name, one in calm.items()},
                       "faults": rows}, file, indent=1)
            file.write("\n")
    print(f"{len(bugs) - missed} of {len(bugs)} faults were found, {seconds:.0f} s beside the build")
    print(f"{len(bugs) - missed} passed, {missed} failed")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
