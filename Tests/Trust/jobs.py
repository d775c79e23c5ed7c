"""What harnesses with many small tasks share: their flags, processes side by side, and what is told in the end."""
import argparse, json, multiprocessing, time

hunt = None  # What the forked processes share.


def arguments(count, default, what, only):
    """A parser with the flags of all; `count`: how the flag of the number of tasks is called beside `--runs`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument(count, "--runs", type=int, default=default, help=what)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=1e6, help="end after so long, with what was done by then")
    parser.add_argument("--raw", help="write the counts to this file as JSON")
    parser.add_argument("--only", help=only)
    return parser


def in_a_job(task):
    return hunt.run(task)


def outcomes_of(the_hunt, tasks, options, words):
    """What came of the tasks. `words` of one that failed are printed as it comes."""
    global hunt
    hunt, outcomes, began = the_hunt, [], time.monotonic()
    with multiprocessing.get_context("fork").Pool(options.jobs) as jobs:
        for outcome in jobs.imap_unordered(in_a_job, tasks, chunksize=1):
            outcomes.append(outcome)
            if outcome.problem:
                print(f"seed {options.seed}, {words(outcome)}: {outcome.problem}", flush=True)
            if time.monotonic() - began > options.minutes * 60:
                break
    return outcomes


def tell(counts, options, silent=()):
    """All counts to `--raw`; to a person those that are not in `silent`."""
    if options.raw:
        with open(options.raw, "w") as file:
            json.dump(counts, file, indent=1)
            file.write("\n")
    for name, value in counts.items():
        if name not in silent:
            print(f"{name}: {value}")
