"""Polars: a lazy scan_ndjson over the compressed files, collected by the streaming engine.

Tried on 8,000,000 events (zstd, processor seconds): shade-velocity 15.0 (in-memory engine 15.7), event-counts 9.9
(11.7), recently-viewed 15.9 (18.8), and the streaming engine needs a sixth of the memory for the first two.
Prices are read as 64-bit floats, and cents are rounded from them.
"""
import os

import peer

os.environ["POLARS_MAX_THREADS"] = str(peer.threads())
import polars  # noqa: E402  (reads the number of threads when it is imported)

TEXT, WHOLE = polars.String, polars.Int64
SCHEMAS = {
    "shade-velocity": {"type": TEXT, "time": TEXT, "data": polars.Struct({
        "category": TEXT, "shade": TEXT, "price": polars.Float64, "quantity": WHOLE})},
    "event-counts": {"type": TEXT, "time": TEXT},
    "recently-viewed": {"type": TEXT, "time": TEXT, "sequence": WHOLE, "partitionkey": TEXT,
                        "data": polars.Struct({"sku": TEXT})},
}


def shade_velocity(events):
    """Units, cents, first and last day of each shade."""
    data, day = polars.col("data").struct, polars.col("time").str.head(10)
    cents = (data.field("price") * 100).round().cast(WHOLE)
    return (events.filter(polars.col("type") == "retail.item.sold", data.field("category") == "cosmetics")
            .select(data.field("shade"), data.field("quantity"), cents=cents * data.field("quantity"), day=day)
            .group_by("shade").agg(polars.sum("quantity"), polars.sum("cents"),
                                   polars.min("day").alias("first"), polars.max("day").alias("last")))


def event_counts(events):
    """How many events of each type on each day."""
    return events.group_by("type", polars.col("time").str.head(10)).agg(polars.len().cast(WHOLE))


def recently_viewed(events):
    """The last ten distinct products of each customer; `sequence` as in peer_duckdb.py."""
    latest = (events.filter(polars.col("type") == "retail.product.viewed")
              .select("partitionkey", "sequence", "time", sku=polars.col("data").struct.field("sku"))
              .group_by("partitionkey", "sku")
              .agg(polars.max("sequence"), polars.col("time").sort_by("sequence").last()))
    rank = polars.col("sequence").rank("ordinal", descending=True).over("partitionkey").cast(WHOLE)
    return (latest.with_columns(rank=rank).filter(polars.col("rank") <= 10)
            .select("partitionkey", "rank", "sku", "time"))


QUERIES = {"shade-velocity": shade_velocity, "event-counts": event_counts, "recently-viewed": recently_viewed}


def answer(question, directory, _codec, _only):
    """Runs the query (Polars finds the codec by content) and returns what yields its rows."""
    events = polars.scan_ndjson(peer.files(directory), schema=SCHEMAS[question])
    found = QUERIES[question](events).collect(engine="streaming")
    return lambda: map(list, found.iter_rows())


if __name__ == "__main__":
    peer.main(polars.__version__, answer)
