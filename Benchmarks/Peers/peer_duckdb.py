"""DuckDB: read_json over the compressed files, the answer as a temporary table in memory.

Tried on 8,000,000 events (zstd): for shade-velocity, read_json with exactly the columns that the question needs and a
struct for `data` takes 3.7 s, read_ndjson_objects with `->>` 6.5 s or, with paths, 6.9 s (on gzip they are within the
noise: 8.3, 8.5 and 7.8 s); days as a DATE column gain nothing. For recently-viewed, two windows are as good as GROUP BY
and one window (10.9 and 11.0 processor seconds); GROUP BY and max_by(…, 10) takes 10.1 to 12.4.
"""
import duckdb

import peer

COLUMNS = {
    "shade-velocity": "{type: 'VARCHAR', time: 'VARCHAR', data: "
                      "'STRUCT(category VARCHAR, shade VARCHAR, price DECIMAL(12,2), quantity BIGINT)'}",
    "event-counts": "{type: 'VARCHAR', time: 'VARCHAR'}",
    "recently-viewed": "{type: 'VARCHAR', time: 'VARCHAR', sequence: 'BIGINT', partitionkey: 'VARCHAR', "
                       "data: 'STRUCT(sku VARCHAR)'}",
}

# `sequence` is the event's number in its partition, and a customer is in one partition: it is the archive's order
# within the key, without ties, in every layout. (Rows of files read in parallel have no number of their own.)
QUERIES = {
    "shade-velocity": """
        SELECT data.shade, sum(data.quantity)::BIGINT, (sum(data.price * data.quantity) * 100)::BIGINT,
               left(min(time), 10), left(max(time), 10)
        FROM {events} WHERE type = 'retail.item.sold' AND data.category = 'cosmetics' GROUP BY 1""",
    "event-counts": """
        SELECT type, left(time, 10) AS day, count(*) FROM {events} GROUP BY 1, 2""",
    "recently-viewed": """
        SELECT partitionkey AS customer, row_number() OVER (PARTITION BY partitionkey ORDER BY sequence DESC) AS rank,
               sku, time
        FROM (SELECT partitionkey, data.sku AS sku, sequence, time FROM {events}
              WHERE type = 'retail.product.viewed'
              QUALIFY row_number() OVER (PARTITION BY partitionkey, data.sku ORDER BY sequence DESC) = 1)
        QUALIFY rank <= 10""",
}

PREFILTERED = """
    SELECT line->>'$.data.shade', sum((line->>'$.data.quantity')::BIGINT)::BIGINT,
           (sum((line->>'$.data.price')::DECIMAL(12,2) * (line->>'$.data.quantity')::BIGINT) * 100)::BIGINT,
           left(min(line->>'$.time'), 10), left(max(line->>'$.time'), 10)
    FROM read_csv('{directory}/**/*.json.*', auto_detect = false, header = false, columns = {{line: 'VARCHAR'}},
                  delim = '', quote = '', escape = '', compression = '{codec}')
    WHERE contains(line, '{only}') AND line->>'$.type' = '{only}' AND line->>'$.data.category' = 'cosmetics'
    GROUP BY 1"""


def answer(question, directory, codec, only):
    """Runs the query and returns what yields its rows."""
    database = duckdb.connect(config={"threads": peer.threads()})
    database.execute("SET enable_progress_bar = false")
    events = (f"read_json('{directory}/**/*.json.*', format = 'newline_delimited', "
              f"compression = '{codec}', columns = {COLUMNS[question]})")
    query = PREFILTERED if only else QUERIES[question]
    database.execute("CREATE TEMP TABLE answer AS "
                     + query.format(events=events, directory=directory, codec=codec, only=only))

    def rows():
        found = database.execute("FROM answer")
        while batch := found.fetchmany(100_000):
            yield from map(list, batch)
    return rows


if __name__ == "__main__":
    peer.main(duckdb.__version__, answer)
