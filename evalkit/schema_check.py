"""Whether a run file's tables, indexes and triggers are those that its migrations made, and how they are made."""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import cache

SCHEMA_SHA256 = (
    "578e1fd112e761625bfd1b6549723e0054c236bc61d24190e14236c36158961e",
    "6e11eec265bed00357a3aeef5fdfb41f5fe06609b9d899544f67a9cfa3816080",
    "0c59e51ab5c93035bcbbafe4e5f9a12faa0274e1a349a4cd1b0b980d6ac79058",
    "887307f3beeca06aabd6f83c7969852679d8ddb2a39d021cc758d3b906e7e60f",
    "d768ad33bc27afedd0be014e862489aae1cb7dda9b34bebc732fb266d03e576b",
    "11ba6ff9939847ce4caa122089481ae304f3e133af092427c8ffb4a2872ecb9f",
    "36914847410f353b55c82f17537938bef0b6178e6b0ea37eed5efb186927bf63",
    "d3a6b476117dc45fe276110372c5fc55dd238eccbeeebdf0bd63e9aa24592894",
)
"""Of each schema version, so that a sound file is told from these alone: making the tables anew takes much longer."""

Objects = dict[tuple[str, str], str]
"""Tables, indexes and triggers: SQL by (type, name)."""


def migrate(db: sqlite3.Connection, migrations: Sequence[str]) -> None:
    """Apply what is missing, inside the caller's transaction: another process may be about to do the same."""
    applied = number(db, "user_version")
    for version, script in enumerate(migrations[applied:], start=applied + 1):
        statement = ""
        for line in script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                db.execute(statement)
                statement = ""
        db.execute(f"PRAGMA user_version = {version}")


def number(db: sqlite3.Connection, pragma: str) -> int:
    """The value of a pragma that is a whole number."""
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def difference(db: sqlite3.Connection, migrations: Sequence[str]) -> str | None:
    """What of a file is not as these migrations, all of which it says it has had, make it; None if all is.

    Without the triggers that guard them, rows may have been changed by anybody.
    """
    found = _objects(db)
    if _sha256(found) in SCHEMA_SHA256[len(migrations) - 1 : len(migrations)]:
        return None
    made = _made(tuple(migrations))
    told = [f"{kind} {name} is missing" for kind, name in made if (kind, name) not in found]
    told += [f"{' '.join(key)} is not as it was made" for key in made if key in found and found[key] != made[key]]
    told += [f"{kind} {name} is not evalkit's" for kind, name in found if (kind, name) not in made]
    more = f", and {len(told) - 1} more" if len(told) > 1 else ""
    return f"{told[0]}{more}" if told else None


def _objects(db: sqlite3.Connection) -> Objects:
    """What a file consists of, without SQLite's own tables, and without views, which hold and change nothing."""
    columns = ", ".join(f"CAST(coalesce({column}, '') AS BLOB)" for column in ("type", "name", "sql"))
    rows = db.execute(f"SELECT {columns} FROM sqlite_master ORDER BY type, name").fetchall()  # noqa: S608
    texts = [[text.decode("utf-8", "replace") for text in row] for row in rows]  # damage may be in any of them
    return {
        (kind, name): _normal(sql) for kind, name, sql in texts if kind != "view" and not name.startswith("sqlite_")
    }


def _normal(sql: str) -> str:
    """SQL without what a version of SQLite may do to it: quotes about names, and white space."""
    return " ".join(sql.replace('"', "").split())


def _sha256(objects: Objects) -> str:
    return hashlib.sha256(repr(sorted(objects.items())).encode("utf-8", "surrogatepass")).hexdigest()


@cache
def _made(migrations: tuple[str, ...]) -> Objects:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db, migrations)
        return _objects(db)
