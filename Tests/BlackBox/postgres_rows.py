"""Whether a schema in PostgreSQL holds what an undisturbed run wrote into SQLite: all rows of all tables, replay's own
(positions, segments, findings, books) among them, by a SHA-256 of each table in the order of its primary key.

Left out are columns that tell of runs (owners and their numbers, how many commits there were, times, the command line), and what a
view selects, which is each database's own SQL.
"""
import contextlib, hashlib, sqlite3

OF_RUNS = ("fence", "owner", "epochs", "updated_at", "command", "left_at", "query")
SEPARATOR, NULL = "\x1f", "\\N"
# How SQLite shows what is no text of PostgreSQL's.
FORMS = {"bytea": """encode("{0}", 'hex')""",
         "timestamp with time zone": """regexp_replace(to_char("{0}", 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '000Z$', 'Z')"""}


class Table:
    """`keys` and `columns` as SQLite has them."""

    def __init__(self, name, database):
        self.name = name
        found = database.execute(f"PRAGMA table_info({name})").fetchall()
        self.columns = [row[1] for row in found if row[1] not in OF_RUNS]
        self.keys = [row[1] for row in sorted(found, key=lambda row: row[5]) if row[5]]

    @property
    def order(self):
        return ", ".join(f'"{key}"' for key in self.keys)


def text(cell):
    return NULL if cell is None else cell.hex() if isinstance(cell, bytes) else str(cell)


def lines_of_sqlite(path):
    """For each table: it, and its rows as lines in key order."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for name in sorted(names):
            table = Table(name, database)
            columns = ", ".join(f'"{column}"' for column in table.columns)
            rows = database.execute(f"SELECT {columns} FROM {name} ORDER BY {table.order}")
            found[name] = (table, [SEPARATOR.join(map(text, row)) for row in rows])
        return found


def digests_of_sqlite(path):
    """Of each table the number of rows, and their hash."""
    return {name: (len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest())
            for name, (_, lines) in lines_of_sqlite(path).items()}


class Undisturbed:
    """What the SQLite file at `path` holds; schemas of `server` are compared with it."""

    def __init__(self, path, server):
        self.path, self.server = path, server
        self.tables = {name: table for name, (table, _) in lines_of_sqlite(path).items()}
        self.digests = digests_of_sqlite(path)
        self.types = {}

    def difference(self, schema):
        """What in the schema is not as it should be; None: all is."""
        names = {name for name, in self.server.sql(f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'")}
        if names != set(self.tables):
            return f"other tables: {sorted(names)}"
        keyed = self.server.sql(f"SELECT conrelid::regclass FROM pg_constraint WHERE contype = 'p' "
                                f"AND connamespace = '{schema}'::regnamespace")
        if len(keyed) != len(names):
            return f"only these tables have a primary key: {keyed}"
        found = self.digests_in(schema)
        wrong = [name for name in self.tables if found[name] != self.digests[name]]
        return "\n".join(self.rows_that_differ(wrong, schema)) or None

    def digests_in(self, schema):
        parts = []
        for table in self.tables.values():
            rows = f"string_agg({self.line(table, schema)}, E'\\n' ORDER BY {table.order})"
            parts.append(f"SELECT '{table.name}', count(*), encode(sha256(convert_to(coalesce({rows}, ''), 'UTF8')), 'hex') "
                         f"FROM {schema}.{table.name}")
        return {name: (int(count), sha) for name, count, sha in self.server.sql(" UNION ALL ".join(parts))}

    def line(self, table, schema):
        """A row as `lines_of_sqlite` has it, as SQL."""
        if not self.types:
            found = self.server.sql("SELECT relname, attname, atttypid::regtype FROM pg_attribute a "
                                    f"JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = '{schema}'::regnamespace")
            self.types = {(relation, attribute): kind for relation, attribute, kind in found}
        cells = (FORMS.get(self.types[table.name, column], '"{0}"::text').format(column) for column in table.columns)
        return "concat_ws(E'\\x1f', " + ", ".join(f"coalesce({cell}, '{NULL}')" for cell in cells) + ")"

    def every_bit(self, schema):
        """A hash of all columns of all rows, of where each row lies, and of which transaction wrote it: it changes with any
        write, be it of what is there already."""
        parts = (f"SELECT '{name}', md5(coalesce(string_agg(concat(t.ctid, t.xmin, t), ',' ORDER BY t.ctid), '')) "
                 f"FROM {schema}.{name} t" for name in self.tables)
        return self.server.sql(" UNION ALL ".join(parts))

    def rows_that_differ(self, names, schema):
        expected = lines_of_sqlite(self.path)
        for name in names:
            table, lines = expected[name]
            found = [row[0] for row in self.server.sql(
                f"SELECT replace({self.line(table, schema)}, E'\\x1f', '|') FROM {schema}.{name}")]
            lines = [line.replace(SEPARATOR, "|") for line in lines]
            missing, surplus = sorted(set(lines) - set(found)), sorted(set(found) - set(lines))
            yield (f"{name}: {len(found)} rows, expected {len(lines)}; missing {len(missing)}: {missing[:3]}; "
                   f"not expected {len(surplus)}: {surplus[:3]}")
