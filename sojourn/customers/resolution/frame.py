"""The records that are compared, in DuckDB's memory: read in pages, made comparable, bounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sojourn.customers.resolution.pairs import NotComparable, Relatives
from sojourn.customers.resolution.relatives import contradiction, unproven
from sojourn.language.problems import unknown
from sojourn.language.resolution_model import Key, Kind, ResolutionSettings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RECORDS = "records"
MIN_RECORDS = 100  # of fewer, the share of strangers who agree cannot be told
_READERS = {".parquet": "read_parquet(?)", ".csv": "read_csv(?, all_varchar=true)", ".jsonl": "read_json(?)", ".json": "read_json(?)"}
_CLEAN = "nullif(regexp_replace(lower(strip_accents(trim({raw}))), '\\s+', ' ', 'g'), '')"
_DATE = "nullif(left(trim({raw}), 10), '')"
_PHONE = "nullif(regexp_replace({raw}, '[^0-9]', '', 'g'), '')"
_PARTS = {
    "start": "case when length({t}) >= {n} then left({t}, {n}) end",
    "year": "nullif(left({t}, 4), '')",
    "day": "nullif(substr({t}, 6, 5), '')",
    "outward": "nullif(split_part({t}, ' ', 1), '')",
}


class Frame:
    """Records by their id and the traits that settings name.

    Args:
        settings: which traits, and which keys.
    """

    def __init__(self, settings: ResolutionSettings) -> None:
        import duckdb

        self.settings = settings
        self.duck: DuckDBPyConnection = duckdb.connect()
        self.duck.execute("set enable_progress_bar = false")  # a bar of our own is on the terminal
        self.traits = settings.traits
        self.columns = {trait: f"t{number}" for number, trait in enumerate(self.traits)}
        self._keys: dict[Key, str] = {}
        self._raw = ", ".join(f"{column} varchar" for column in self.columns.values())
        self.duck.execute(f"create table raw (id varchar, {self._raw})")
        self.count = 0
        self.pairs: dict[tuple[str, ...], int] = {}  # of each line of keys

    def __enter__(self) -> Frame:
        return self

    def __exit__(self, *_: object) -> None:
        self.duck.close()

    def add(self, ids: Sequence[str], values: Sequence[Sequence[str | None]]) -> None:
        """Take in a page of records; of each trait, in the order of `traits`, the values of all of them."""
        unnested = ", ".join("unnest(?::varchar[])" for _ in range(1 + len(self.traits)))
        self.duck.execute(f"insert into raw select {unnested}", [list(ids), *(list(column) for column in values)])

    def read(self, path: Path, id_column: str | None, truth_column: str) -> dict[str, str]:
        """Take in a file, and return of each record whose it truly is; the truth itself is never among what is compared.

        Raises:
            NotComparable: the file or one of its columns is not there.
        """
        reader = _READERS.get(path.suffix.lower())
        if reader is None or not path.is_file():
            raise NotComparable(f"{path} is no file of a kind that can be read; name one that ends in {', '.join(_READERS)}")
        there = [row[0] for row in self.duck.execute(f"describe select * from {reader}", [str(path)]).fetchall()]  # noqa: S608 - a constant
        for column in (*self.traits, truth_column, *([id_column] if id_column else [])):
            if column not in there:
                raise NotComparable(f"{path.name}: {unknown('column', column, there)}")
        of_id = "row_number() over ()" if id_column is None else _quoted(id_column)
        wanted = "".join(f", cast({_quoted(trait)} as varchar) as {column}" for trait, column in self.columns.items())
        chosen = f"cast({of_id} as varchar) as id, cast({_quoted(truth_column)} as varchar) as owner{wanted}"
        self.duck.execute(f"create table file as select {chosen} from {reader}", [str(path)])  # noqa: S608 - names are quoted
        self.duck.execute("insert into raw select * exclude (owner) from file")
        truth = {str(record): str(owner) for record, owner in self.rows("select id, owner from file")}
        self.duck.execute("drop table file")
        return truth

    # -- making comparable -------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make what was taken in comparable, and see that it is neither too little nor too much.

        Raises:
            NotComparable: too few records, an id twice, or a blocking rule that gives too many pairs.
        """
        kinds = {each.trait: each.as_ for each in self.settings.compare}
        clean = ", ".join(f"{_cleaned(kinds.get(trait), column)} as {column}" for trait, column in self.columns.items())
        self.duck.execute(f"create table cleaned as select id, {clean} from raw order by id")  # noqa: S608 - own names
        for line in (*self.settings.block, *self.settings.certain):
            for text in line:
                key = Key.parse(text)
                if key.function is not None:
                    self._keys.setdefault(key, f"k{len(self._keys)}")
        made = {name: _PARTS[key.function or ""].format(t=self.columns[key.trait], n=key.length) for key, name in self._keys.items()}
        parts = "".join(f", {sql} as {name}" for name, sql in made.items())
        self.duck.execute(f"create table {RECORDS} as select *{parts} from cleaned order by id")  # noqa: S608 - own names
        self.duck.execute("drop table cleaned")
        self.duck.execute("drop table raw")
        found = self.rows(f"select count(*), count(distinct id) from {RECORDS}")[0]  # noqa: S608 - a constant
        self.count = found[0]
        if found[0] != found[1]:
            raise NotComparable("two records bear one id; name another column with --id, or none")
        if self.count < MIN_RECORDS:
            raise NotComparable(f"only {self.count} records; of fewer than {MIN_RECORDS} nothing can be learned, so nothing was done")
        self._bound()

    def rule(self, line: Sequence[str]) -> list[str]:
        """Return the columns of a line of keys."""
        keys = [Key.parse(text) for text in line]
        return [self.columns[key.trait] if key.function is None else self._keys[key] for key in keys]

    def relatives(self, pairs: Iterable[tuple[str, str]]) -> Relatives:
        """Return which of these pairs are known to differ where one person's records do not, and which may as well be relatives'."""
        settings = self.settings
        kinds = {each.trait: each.as_ for each in settings.compare}
        telling = {self.columns[trait]: kinds[trait] for trait in settings.telling}
        asked = sorted(set(pairs))
        if not asked or not telling:
            return Relatives()
        self.duck.execute("create or replace table looked_at (one varchar, other varchar)")
        sides = [[one for one, _ in asked], [other for _, other in asked]]
        self.duck.execute("insert into looked_at select unnest(?::varchar[]), unnest(?::varchar[])", sides)
        differs = " or ".join(contradiction(kind, f"l.{column}", f"r.{column}") for column, kind in telling.items())
        doubtful = unproven(telling, [self.columns[trait] for trait in settings.vouching])
        joined = f"looked_at join {RECORDS} l on l.id = one join {RECORDS} r on r.id = other"
        found = self.rows(f"select one, other, {differs} as apart from {joined} where apart or {doubtful}")  # noqa: S608 - own names
        return Relatives(
            frozenset((one, other) for one, other, apart in found if apart),
            frozenset((one, other) for one, other, apart in found if not apart),
        )

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Return what a query gives."""
        return self.duck.execute(sql, parameters or []).fetchall()

    def _bound(self) -> None:
        limit = self.settings.max_pairs
        for line in dict.fromkeys((*self.settings.block, *self.settings.certain, *self.settings.learn)):
            columns = ", ".join(self.rule(line))
            known = " and ".join(f"{column} is not null" for column in self.rule(line))
            sizes = f"select count(*) as n from {RECORDS} where {known} group by {columns}"  # noqa: S608 - own names
            pairs, most = self.rows(f"select coalesce(sum(n * (n - 1) // 2), 0), coalesce(max(n), 0) from ({sizes})")[0]  # noqa: S608
            self.pairs[line] = int(pairs)
            if pairs > limit:
                raise NotComparable(
                    f"the line [{', '.join(line)}] gives {int(pairs):,} pairs, the largest block {int(most):,} records; "
                    f"add a key to it, or raise max_pairs ({limit:,})"
                )

    def certain_matches(self) -> int:
        """Return how many pairs the lines of `certain` give together."""
        found = []
        for line in self.settings.certain:
            same = " and ".join(f"l.{column} = r.{column}" for column in self.rule(line))
            found.append(f"select l.id as one, r.id as other from {RECORDS} l join {RECORDS} r on {same} and l.id < r.id")  # noqa: S608 - own names
        return int(self.rows(f"select count(*) from ({' union '.join(found)})")[0][0])  # noqa: S608 - own names


def _cleaned(kind: Kind | None, column: str) -> str:
    return {"date": _DATE, "phone": _PHONE}.get(kind or "", _CLEAN).format(raw=column)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
