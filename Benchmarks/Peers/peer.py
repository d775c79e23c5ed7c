"""What every peer's program shares: its command line, its clock and how it hands over the answer.

Usage: <peer>.py QUESTION DIRECTORY CODEC [--answer PATH] [--prefilter]. Measured are the seconds from before the
first file is opened until all rows of the answer are in the peer's own memory; the interpreter's start and the imports
are not in them, and neither is the writing of the answer, which happens only where it is to be compared.
"""
import argparse
import glob
import json
import os
import re
import time

QUESTIONS = ("shade-velocity", "event-counts", "recently-viewed")
PREFILTERS = {"shade-velocity": "retail.item.sold"}  # text that every line that counts has, were it never escaped


def threads():
    """How many threads or processes a peer uses: as many as there are cores, as replay does."""
    return len(os.sched_getaffinity(0))


def files(directory):
    """The archive's files in the natural order of their names, which is the order of each key's events."""
    found = glob.glob(os.path.join(directory, "**", "*.json.*"), recursive=True)
    return sorted(found, key=lambda path: [part.zfill(20) for part in re.split(r"(\d+)", path)])


def main(version, answer):
    """Runs `answer(question, directory, codec, only)`, which returns a function that yields the rows.

    `only` is None, or with --prefilter the text without which a line may be skipped unparsed. Prints one JSON line:
    the seconds and the peer's version.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("directory")
    parser.add_argument("codec", choices=("zstd", "gzip"))
    parser.add_argument("--answer", help="write the rows to this file, one JSON array a line")
    parser.add_argument("--prefilter", action="store_true")
    options = parser.parse_args()
    only = PREFILTERS[options.question] if options.prefilter else None
    began = time.perf_counter()
    rows = answer(options.question, os.path.abspath(options.directory), options.codec, only)
    seconds = time.perf_counter() - began
    if options.answer:
        with open(options.answer, "w", encoding="utf-8") as out:
            for row in rows():
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(json.dumps({"seconds": seconds, "version": version}), flush=True)
