"""chDB (ClickHouse in the process): file() over the compressed files, the answer in the Arrow format in memory.

Tried, and the fastest kept: LineAsString with JSONExtract… against JSONAsString and against JSONEachRow with typed
columns; see README.md.
"""
import chdb
import pyarrow

import peer

SHADE = """
    SELECT JSONExtractString(json, 'data', 'shade') AS shade, sum(JSONExtractInt(json, 'data', 'quantity') AS quantity),
           toInt64(sum(JSONExtract(json, 'data', 'price', 'Decimal(12, 2)') * quantity) * 100),
           left(min(JSONExtractString(json, 'time') AS time), 10), left(max(time), 10)
    FROM {lines}
    WHERE {only} JSONExtractString(json, 'type') = 'retail.item.sold'
      AND JSONExtractString(json, 'data', 'category') = 'cosmetics'
    GROUP BY shade"""

# `sequence` is the event's number in its partition: see peer_duckdb.py.
QUERIES = {
    "shade-velocity": SHADE,
    "event-counts": """
        SELECT JSONExtractString(json, 'type') AS type, left(JSONExtractString(json, 'time'), 10) AS day,
               toInt64(count())
        FROM {lines} GROUP BY type, day""",
    "recently-viewed": """
        SELECT customer, toInt64(row_number() OVER (PARTITION BY customer ORDER BY latest DESC)) AS rank, sku, at
        FROM (SELECT JSONExtractString(json, 'partitionkey') AS customer,
                     JSONExtractString(json, 'data', 'sku') AS sku,
                     max(JSONExtractInt(json, 'sequence') AS number) AS latest,
                     argMax(JSONExtractString(json, 'time'), number) AS at
              FROM {lines} WHERE JSONExtractString(json, 'type') = 'retail.product.viewed'
              GROUP BY customer, sku
              ORDER BY latest DESC LIMIT 10 BY customer)""",
}


def answer(question, directory, codec, only):
    """Runs the query and returns what yields its rows."""
    lines = f"file('{directory}/**/*.json.*', 'LineAsString', 'json String', '{codec}')"
    skip = f"position(json, '{only}') > 0 AND" if only else ""
    settings = f" SETTINGS max_threads = {peer.threads()}, output_format_arrow_string_as_string = 1"
    found = chdb.query(QUERIES[question].format(lines=lines, only=skip) + settings, "Arrow")

    def rows():
        with pyarrow.ipc.open_file(pyarrow.BufferReader(found.bytes())) as table:
            for number in range(table.num_record_batches):
                yield from map(list, zip(*(column.to_pylist() for column in table.get_batch(number).columns)))
    return rows


if __name__ == "__main__":
    peer.main(chdb.__version__, answer)
