"""chDB (ClickHouse in the process): file() over the compressed files, the answer in the Arrow format in memory.

Tried on 8,000,000 events (zstd, processor seconds): for shade-velocity LineAsString with an extract for each field, of
which most lines need one, 5.4; JSONAsString 8.1; JSONEachRow with typed columns 14.7; LineAsString with one extract of
all fields 8.7. For the others that last form is the best: event-counts 5.9 (JSONEachRow 6.5 to 7.1, a field at a time
6.8), recently-viewed 11.9 (JSONEachRow 16.3, a field at a time 15.7).
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
        SELECT event.type, left(event.time, 10) AS day, toInt64(count())
        FROM (SELECT JSONExtract(json, 'Tuple(type LowCardinality(String), time String)') AS event FROM {lines})
        GROUP BY event.type, day""",
    "recently-viewed": """
        SELECT customer, toInt64(row_number() OVER (PARTITION BY customer ORDER BY latest DESC)) AS rank, sku, at
        FROM (SELECT event.partitionkey AS customer, event.data.sku AS sku, max(event.sequence) AS latest,
                     argMax(event.time, event.sequence) AS at
              FROM (SELECT JSONExtract(json, 'Tuple(type String, time String, sequence Int64, partitionkey String,
                                                    data Tuple(sku String))') AS event FROM {lines})
              WHERE event.type = 'retail.product.viewed'
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
