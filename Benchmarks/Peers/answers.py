"""The answer to each question, and whether two of them are the same, cell by cell.

Usage: answers.py QUESTION STORE (--answer PATH | --tally PATH). Compares the rows of replay's SQLite tables with a
peer's rows (JSON arrays, one a line, in any order) or with what the archive's generator counted itself. Where they
differ, the first rows that do are printed and the exit code is 1.
"""
import argparse
import hashlib
import itertools
import json
import sqlite3
import sys

TABLES = {"shade-velocity": ("shade_velocity", "shade"), "event-counts": ("event_counts", "type, day"),
          "recently-viewed": ("recently_viewed", "customer, rank")}
SHOWN = 5


def stored_rows(store, question):
    """The rows that replay wrote, in key order, as tuples."""
    table, order = TABLES[question]
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
        return database.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall()


def peer_rows(path):
    """The rows that a peer wrote, in the order of their bytes in UTF-8, as SQLite's."""
    with open(path, encoding="utf-8") as lines:
        return sorted((tuple(json.loads(line)) for line in lines), key=row_key)


def row_key(row):
    """Sorts text by its code points, which is the order of UTF-8, and whole numbers by their value."""
    return tuple((isinstance(cell, str), cell) for cell in row)


def differences(expected, found):
    """Up to SHOWN lines that say where two sorted lists of rows differ; types count: 1 is not 1.0 or "1"."""
    said = []
    for number, (want, got) in enumerate(itertools.zip_longest(expected, found)):
        if want != got or list(map(type, want)) != list(map(type, got)):
            said.append(f"row {number}: replay has {want}, the other {got}")
            if len(said) == SHOWN:
                break
    return said


def tally_differences(rows, tally, question):
    """The same against the generator's tally; of large archives it keeps a hash of the recently viewed."""
    table = TABLES[question][0]
    if table in tally:
        return differences(rows, sorted(map(tuple, tally[table]), key=row_key))
    text = "".join("%s|%d|%s|%s\n" % row for row in rows)
    found = len(rows), hashlib.sha256(text.encode()).hexdigest()
    expected = tally["recently_viewed_rows"], tally["recently_viewed_sha256"]
    return [] if found == expected else [f"replay has (rows, sha256) {found}, the generator {expected}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question", choices=TABLES)
    parser.add_argument("store")
    other = parser.add_mutually_exclusive_group(required=True)
    other.add_argument("--answer")
    other.add_argument("--tally")
    options = parser.parse_args()
    rows = stored_rows(options.store, options.question)
    if options.answer:
        said = differences(rows, peer_rows(options.answer))
    else:
        with open(options.tally, encoding="utf-8") as text:
            said = tally_differences(rows, json.load(text), options.question)
    print("\n".join(said) or f"{len(rows):,} rows, equal cell by cell")
    sys.exit(bool(said))


if __name__ == "__main__":
    main()
