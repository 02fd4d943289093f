"""Clusters: planted ones are found again, none is too small, names tell, and the same people give the same."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import law
from sqlalchemy import Connection, delete, insert, select

from sojourn.customers.clustering import grouping
from sojourn.customers.clustering.choosing import NoClusters, choose
from sojourn.customers.clustering.files import cluster_files
from sojourn.customers.clustering.report import report
from sojourn.customers.clustering.spaces import Centres, Scaling, enough
from sojourn.customers.clustering.vectors import Behaviour, behaviour, rows
from sojourn.language.clusters_model import ClustersModel
from sojourn.language.loader import load_clusters
from sojourn.store.database import Database
from sojourn.store.tables import clusterings, events, profiles, segment_members

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
FILE = (ROOT / "journeys" / "clusters.yaml").read_bytes()
SHARED = ROOT.parent / "shared" / "data"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PLAIN = """
minimum: {minimum}
clusters: {{from: 2, to: 5}}
methods: [{methods}]
features:
  - {{feature: orders, measure: count, events: [Order Completed], scale: plain, high: buyers, low: lookers}}
  - {{feature: evening, measure: share_of_hours, events: [Session Started], hours: [18, 24], scale: plain, high: evening, low: daytime}}
  - {{feature: spend, measure: sum, events: [Order Completed], of: revenue, scale: plain, high: big, low: small}}
"""


def plain(minimum: int = 20, methods: str = "kmeans, ward") -> ClustersModel:
    return load_clusters(PLAIN.format(minimum=minimum, methods=methods))


def people(values: np.ndarray[Any, Any], features: tuple[str, ...] = ("orders", "evening", "spend")) -> Behaviour:
    return Behaviour(features, [f"p{i:05}" for i in range(len(values))], array("d", values.ravel().tolist()))


def planted(
    sizes: tuple[int, ...] = (150, 100, 60), spread: float = 0.35, seed: int = 3
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    chance = np.random.default_rng(seed)
    middles = np.array([[0, 0, 0], [4, 4, 0], [0, 4, 5]])
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return middles[labels] + chance.normal(0, spread, (len(labels), 3)), labels


@pytest.mark.parametrize("method", ["kmeans", "ward"])
def test_planted_clusters_are_found_again(method: str) -> None:
    from sklearn.metrics import adjusted_rand_score  # most of what imports of a run took, for one law

    values, labels = planted()
    done = grouping.group(people(values), plain(methods=method), NOW)
    assert done.choice.chosen.clusters == 3
    assert done.choice.weak == ()
    found = np.zeros(len(labels))
    for number, ids in enumerate(done.members):
        found[[int(one[1:]) for one in ids]] = number
    assert adjusted_rand_score(labels, found) > 0.98


def test_clusters_are_named_by_what_sets_each_apart_in_the_words_of_the_file() -> None:
    done = grouping.group(people(planted()[0]), plain(), NOW)
    # The largest neither buys nor comes in the evening; the second buys; the smallest spends much.
    assert [cluster.name for cluster in done.clusters] == ["daytime_lookers", "buyers_evening", "big_evening"]
    assert done.clusters[2].description().startswith("60 people (19.4%), set apart by: spend 5 (others ")


def test_the_same_seed_gives_the_same_and_the_version_tells_them_apart() -> None:
    values, _ = planted(spread=1.5)
    one, other = (grouping.group(people(values), plain(), NOW) for _ in range(2))
    assert one == other
    assert grouping.group(people(values), plain(minimum=21), NOW).version != one.version


def behaving(seed: int, count: int = 800) -> np.ndarray[Any, Any]:
    """Return people as shops have them: no clear groups, so that three and four clusters are nearly as good."""
    chance = np.random.default_rng(seed)
    loyalty = chance.gamma(1, 1, count)
    evening = np.clip(chance.normal(0.4, 0.25, count), 0, 1) * 4
    return np.column_stack([chance.poisson(1 + 3 * loyalty), evening, chance.lognormal(0.3 * loyalty, 0.8)])


def held_between_seeds(values: np.ndarray[Any, Any], model: ClustersModel) -> float:
    """Hold that five seeds group people alike, or that each says how far they do not; return how alike."""
    from sklearn.metrics import adjusted_rand_score

    labellings, claims = [], []
    for seed in range(1, 6):
        done = grouping.group(people(values), model.model_copy(update={"seed": seed}), NOW)
        labels = np.zeros(len(values))
        for number, ids in enumerate(done.members):
            labels[[int(one[1:]) for one in ids]] = number
        labellings.append(labels)
        claims.append(done.choice.chosen.stability)
        low = done.choice.chosen.reseeded < model.weak_below.stability
        assert any("between seeds" in sentence for sentence in done.choice.weak) == low
        assert f"other seeds {done.choice.chosen.reseeded:.2f}" in " ".join(
            next(iter(cluster_files(done).values())).replace("#", "").split()
        )
    measured = float(np.mean([adjusted_rand_score(one, other) for one, other in combinations(labellings, 2)]))
    assert measured >= min(0.9, max(claims)), claims
    return measured


@pytest.mark.parametrize("data", [0, 3])
def test_five_seeds_find_the_same_number_and_the_same_clusters(data: int) -> None:
    assert held_between_seeds(behaving(data), plain(methods="kmeans")) >= 0.9


def test_where_seeds_disagree_the_stability_says_so() -> None:
    noise = np.random.default_rng(2).uniform(-1, 1, (300, 8))
    names = [f"f{i}" for i in range(8)]
    lines = "\n".join(f"  - {{feature: {name}, measure: count, events: [{name}], scale: plain}}" for name in names)
    model = load_clusters(f"minimum: 5\nclusters: {{from: 8, to: 8}}\nmethods: [kmeans]\nfeatures:\n{lines}\n")
    done = grouping.group(people(noise, tuple(names)), model, NOW)
    assert done.choice.chosen.reseeded < 0.8
    assert done.choice.chosen.stability <= done.choice.chosen.reseeded
    assert any(sentence.startswith("agreement between seeds 0.") for sentence in done.choice.weak)


@pytest.mark.exhaustive
@pytest.mark.parametrize("data", range(4, 12))
def test_seeds_agree_or_the_claim_says_how_far_whatever_the_people(data: int) -> None:
    held_between_seeds(behaving(data), plain())


@pytest.mark.skipif(not (SHARED / "online_retail").exists(), reason="the Online Retail orders are not here")
def test_five_seeds_group_the_buyers_of_online_retail_alike() -> None:
    import duckdb

    behaviour_of = """
        WITH sold AS (
            SELECT customer_id AS who, invoice, min(invoiced_at) AS sold_at, sum(quantity * unit_price) AS worth FROM read_parquet(?)
            WHERE customer_id % 4 = 0 AND quantity > 0 AND unit_price > 0 AND invoiced_at < TIMESTAMP '2011-09-01' GROUP BY ALL
        )
        SELECT count(*)::DOUBLE, avg((dayofweek(sold_at) IN (0, 6))::INT), ln(sum(worth)) FROM sold GROUP BY who ORDER BY who
    """
    with duckdb.connect() as raw:
        rows_of = raw.execute(behaviour_of, [str(SHARED / "online_retail" / "orders.parquet")]).fetchall()
    values = np.array(rows_of, dtype=float)
    assert len(values) > 900
    assert held_between_seeds(values, plain(minimum=40, methods="kmeans")) >= 0.9


def test_people_without_structure_are_clustered_with_a_warning() -> None:
    values = np.random.default_rng(5).normal(0, 1, (400, 3))
    done = grouping.group(people(values), plain(), NOW)
    assert done.choice.weak
    assert all(sentence in report(done).replace("&#39;", "'") for sentence in done.choice.weak)
    assert all("Weak:" in text for text in cluster_files(done).values())


@pytest.mark.parametrize(("count", "alike"), [(0, False), (30, False), (39, False), (400, True)])
def test_where_no_grouping_is_large_enough_a_sentence_says_so(count: int, alike: bool) -> None:
    values = np.zeros((count, 3)) if alike else np.random.default_rng(1).normal(0, 1, (count, 3))
    with pytest.raises(NoClusters, match=r"lower `minimum` in clusters.yaml"):
        grouping.group(people(values), plain(minimum=20), NOW)


@law(60)
@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=80),
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=8, unique=True),
    st.integers(1, 30),
)
def test_no_cluster_is_smaller_than_the_minimum_unless_it_is_all_that_is_left(
    where: list[tuple[float, float]], points: list[tuple[float, float]], minimum: int
) -> None:
    scaled = np.array(where)
    centres = enough(Centres(tuple(points), tuple(range(len(points)))), scaled, minimum)
    sizes = np.bincount(centres.assign(scaled), minlength=centres.clusters)
    assert sizes.sum() == len(where)
    assert len(sizes) == centres.clusters
    assert centres.clusters == 1 or sizes.min() >= minimum
    assert list(sizes) == sorted(sizes, reverse=True)


@law(10)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(2, 60))
def test_whatever_people_are_like_every_cluster_has_its_minimum_and_a_name_of_its_own(seed: int, groups: int, minimum: int) -> None:
    chance = np.random.default_rng(seed)
    sizes = chance.integers(5, 60, groups)
    values = np.repeat(chance.normal(0, 3, (groups, 3)), sizes, axis=0) + chance.normal(0, 0.5, (sizes.sum(), 3))
    try:
        done = grouping.group(people(values), plain(minimum=minimum, methods="kmeans"), NOW)
    except NoClusters:
        return
    assert min(len(part) for part in done.members) >= minimum
    assert sorted(one for part in done.members for one in part) == people(values).ids
    names = [cluster.segment for cluster in done.clusters]
    assert len(set(names)) == len(names) == len(done.members)
    assert all(len(name) <= 64 for name in names)


def test_one_odd_person_does_not_stretch_the_scale() -> None:
    values, labels = planted()
    values[0] = [1e6, -1e6, 1e9]
    done = grouping.group(people(values), plain(), NOW)
    sizes = sorted(len(part) for part in done.members)
    assert sizes == pytest.approx(sorted(np.bincount(labels)), abs=3)


def test_a_feature_in_which_all_are_alike_says_nothing() -> None:
    values, _ = planted()
    values[:, 1] = 7.0
    model = plain()
    scaling = Scaling.fit(values, model)
    assert scaling.spreads[1] == 0.0
    assert not scaling.apply(values)[:, 1].any()
    assert choose(scaling.apply(values), model).chosen.clusters > 1


# -- what is measured ---------------------------------------------------------------------------


def stored(lives: dict[str, list[tuple[str, datetime, dict[str, Any]]]], zones: dict[str, str] | None = None) -> Database:
    database = Database("sqlite://")
    first = {who: min((at for _, at, _ in life), default=NOW) for who, life in lives.items()}
    known = [{"id": who, "traits": {}, "zone": (zones or {}).get(who), "first_seen": first[who], "last_seen": NOW} for who in lives]
    did = [
        {"id": f"{who}:{i}", "seq": i, "profile_id": who, "kind": "track", "name": name, "time": at, "properties": its}
        for who, life in lives.items()
        for i, (name, at, its) in enumerate(life)
    ]

    def fill(connection: Connection) -> None:
        connection.execute(insert(profiles), known)
        connection.execute(insert(events), did)

    database.write_now(fill)
    return database


def test_each_feature_is_measured_as_it_says() -> None:
    saturday = datetime(2026, 5, 30, 23, 30, tzinfo=UTC)  # in New York the evening, in Tokyo Sunday morning
    lives = {
        "a": [
            ("Order Completed", NOW - 10 * DAY, {"revenue": 20.5, "discount": 5}),
            ("Order Completed", NOW - 60.88 * DAY, {"revenue": 10}),
            ("Order Completed", NOW - 400 * DAY, {"revenue": 1000}),
            ("Email Delivered", NOW - 9 * DAY, {}),
            ("Email Delivered", NOW - 8 * DAY, {}),
            ("Email Link Clicked", NOW - 8 * DAY, {}),
        ],
        "b": [
            ("Session Started", saturday, {}),
            ("Product Viewed", saturday, {"category": "x"}),
            ("Product Added", saturday, {"category": "y"}),
        ],
        "c": [
            ("Session Started", saturday, {}),
            ("Product Viewed", saturday, {"category": "x"}),
            ("Product Added", saturday, {"category": "x"}),
        ],
        "d": [("Something Else", NOW - DAY, {})],
        "e": [("Session Started", NOW + DAY, {})],
    }
    model = load_clusters(FILE)
    database = stored(lives, {"b": "America/New_York", "c": "Asia/Tokyo", "a": "No/Where"})
    counted: list[int] = []
    found = database.read_now(behaviour, model, NOW, "Europe/Berlin", counted.append)
    assert found.ids == ["a", "b", "c"]
    assert sum(counted) == 5
    a, b, c = (dict(zip(found.features, row, strict=True)) for row in rows(found))
    assert a["recency"] == pytest.approx(10)
    assert a["orders"] == pytest.approx(2 / (365 / 30.44))
    assert (a["spend"], a["tenure"], a["mail"], a["discounts"]) == pytest.approx((30.5, 400, 0.5, 0.5))
    assert b["recency"] == 365
    assert (b["weekend"], b["evening"], b["categories"]) == (1.0, 1.0, 2)
    assert (c["weekend"], c["evening"], c["categories"]) == (1.0, 0.0, 1)
    assert (b["visits"], b["orders"]) == (1.0, 0.0)


def shop(count: int, seed: int = 11) -> dict[str, list[tuple[str, datetime, dict[str, Any]]]]:
    chance = np.random.default_rng(seed)
    evening = NOW.replace(hour=19)
    lives: dict[str, list[tuple[str, datetime, dict[str, Any]]]] = {}
    for i in range(count):
        if i % 2:  # looks around in the evening, buys nothing
            days = chance.integers(1, 90, 12)
            lives[f"p{i:04}"] = [("Session Started", evening - int(day) * DAY, {}) for day in days]
        else:  # buys in the morning
            days = chance.integers(1, 300, 8)
            lives[f"p{i:04}"] = [("Order Completed", NOW - int(day) * DAY, {"revenue": float(chance.integers(20, 90))}) for day in days]
    return lives


class Lists:
    """Segments whose members are replaced, as the lists of live segments do."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __call__(self, segment: str, profile_ids: list[str]) -> None:
        self.connection.execute(delete(segment_members).where(segment_members.c.segment == segment))
        if profile_ids:
            self.connection.execute(insert(segment_members), [{"segment": segment, "profile_id": one, "since": NOW} for one in profile_ids])


def members(connection: Connection) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for segment, one in connection.execute(select(segment_members.c.segment, segment_members.c.profile_id)):
        found.setdefault(segment, set()).add(one)
    return found


def test_a_clustering_is_kept_and_new_people_join_the_cluster_they_are_like() -> None:
    model = load_clusters(FILE.replace(b"minimum: 100", b"minimum: 30").replace(b"to: 8", b"to: 3").replace(b"[kmeans, ward]", b"[kmeans]"))
    lives = shop(200)
    database = stored(lives)
    done = grouping.group(database.read_now(behaviour, model, NOW, "UTC"), model, NOW)
    database.write_now(lambda connection: Lists(connection)("cluster_of_old", ["p0001"]))
    database.write_now(lambda connection: grouping.keep(connection, done, Lists(connection)))
    first = database.read_now(members)
    assert set(first) == {cluster.segment for cluster in done.clusters}
    assert sorted(map(len, first.values())) == [100, 100]

    kept = database.read_now(grouping.kept)
    assert (kept.version, kept.at, kept.model, kept.centres) == (done.version, NOW, model, done.centres)
    row = database.read_now(lambda connection: connection.execute(select(clusterings)).mappings().one())
    assert (row["method"], row["k"], row["people"]) == ("kmeans", 2, 200)

    more = shop(260)
    again = stored(more)
    parts = grouping.assign(again.read_now(behaviour, kept.model, NOW, "UTC"), kept)
    assert [{one for one in part if one in lives} for part in parts] == [first[f"cluster_{name}"] for name in kept.names]
    assert sorted(map(len, parts)) == [130, 130]
    sizes = again.write_now(lambda connection: list(grouping.refill(kept, parts, Lists(connection))))
    assert sizes == [(f"cluster_{name}", 130) for name in kept.names]


def test_assigning_refuses_where_a_cluster_would_become_too_small() -> None:
    values, labels = planted()
    done = grouping.group(people(values), plain(), NOW)
    kept = grouping.Kept(done.version, NOW, done.model, done.scaling, done.centres, tuple(cluster.name for cluster in done.clusters))
    assert [len(part) for part in grouping.assign(people(values), kept)] == [150, 100, 60]
    with pytest.raises(grouping.TooSmall, match=r"cluster_big_evening would have 0 people, fewer than the minimum of 20"):
        grouping.assign(people(values[labels < 2]), kept)


def test_the_report_stands_alone_and_shows_every_cluster_and_trial() -> None:
    done = grouping.group(people(planted()[0]), plain(), NOW)
    page = report(done)
    assert all(page.count(cluster.segment) >= 2 for cluster in done.clusters)
    assert page.count("<tr") == 1 + len(done.choice.trials)
    assert "<script" not in page
    assert "http" not in page
    assert '<meta name="viewport"' in page


@pytest.mark.skipif(not (SHARED / "cdnow").exists(), reason="the CDNOW purchases are not here")
def test_buyers_of_cdnow_fall_into_stable_clusters_large_enough() -> None:
    lives: dict[str, list[tuple[str, datetime, dict[str, Any]]]] = {}
    for line in (SHARED / "cdnow" / "CDNOW_sample.txt").read_text("utf-8").splitlines():
        who, _, day, _, worth = line.split()
        at = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
        lives.setdefault(who, []).append(("Order Completed", at, {"revenue": float(worth)}))
    model = load_clusters(
        FILE.replace(b"window: 365d", b"window: 550d").replace(b"[kmeans, ward]", b"[kmeans]").replace(b"to: 8", b"to: 5")
    )
    done = grouping.group(stored(lives).read_now(behaviour, model, datetime(1998, 7, 1, tzinfo=UTC), "UTC"), model, NOW)
    assert done.people == len(lives) > 2000
    assert min(len(part) for part in done.members) >= model.minimum
    assert done.choice.weak == ()
