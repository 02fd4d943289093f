"""A catalogue is read strictly, from any of its three forms, and what is wrong is said with its line."""

from decimal import Decimal
from pathlib import Path

import pytest

from sojourn.language.catalog import check_recommendations, load_catalog, read_catalog
from sojourn.language.catalog_model import RecommendationSettings
from sojourn.language.loader import DefinitionError, load, load_recommendations

CSV = b"""id,name,url,price,currency,in_stock,stock,category
throw,Linen throw,https://shop.example/throw,45.50,EUR,yes,18,linen
"comb, fine",Wool comb,https://shop.example/comb,,,no,,care
"""
JSONL = b"""{"id": "throw", "name": "Linen throw", "url": "https://shop.example/throw", "price": 45.50, "currency": "EUR", \
"stock": 18, "category": "linen"}

{"id": "comb, fine", "name": "Wool comb", "url": "https://shop.example/comb", "in_stock": false, "category": "care"}
"""
YAML = b"""items:
  - {id: throw, name: Linen throw, url: https://shop.example/throw, price: 45.50, currency: EUR, stock: 18, category: linen}
  - {id: "comb, fine", name: Wool comb, url: https://shop.example/comb, in_stock: false, category: care}
"""


def said(source: bytes, file: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        read_catalog(source, file)
    return [str(problem) for problem in caught.value.problems]


def test_a_catalogue_is_the_same_in_each_of_its_forms() -> None:
    one, two, three = read_catalog(CSV, "c.csv"), read_catalog(JSONL, "c.jsonl"), read_catalog(YAML, "c.yaml")
    assert one == two == three
    assert one.items["throw"].price == Decimal("45.5")
    assert [item.available for item in one.items.values()] == [True, False]
    assert one.categories == {"linen", "care"}


@pytest.mark.parametrize(
    ("source", "file", "where", "words"),
    [
        (CSV.replace(b"45.50", b"cheap"), "c.csv", "c.csv:2:", "price"),
        (CSV.replace(b"yes", b"perhaps"), "c.csv", "c.csv:2:", "in_stock"),
        (CSV.replace(b"https://shop.example/comb", b"javascript:x"), "c.csv", "c.csv:3:", "url"),
        (CSV.replace(b"category\n", b"kategory\n"), "c.csv", "c.csv:1:", "`category`"),
        (CSV.replace(b",care", b",care,more"), "c.csv", "c.csv:3:", "9 cells"),
        (CSV + b'"open', "c.csv", "c.csv:4:", "CSV"),
        (CSV + b"throw,Another,https://shop.example/x,,,,,\n", "c.csv", "c.csv:4:", "second item"),
        (JSONL.replace(b'"name": "Wool comb", ', b""), "c.jsonl", "c.jsonl:3:", "name"),
        (JSONL + b"[1]\n", "c.jsonl", "c.jsonl:4:", "object"),
        (JSONL + b"{\n", "c.jsonl", "c.jsonl:4:", ""),
        (JSONL.replace(b'"stock": 18', b'"stock": -1'), "c.jsonl", "c.jsonl:1:", "stock"),
        (YAML.replace(b"price: 45.50", b"prize: 45.50"), "c.yaml", "c.yaml:2:", "price"),
        (b"- {id: a}", "c.yaml", "c.yaml:1:1:", "items"),
        (b"id,name,url\n\xff,x,https://x.example/\n", "c.csv", "c.csv:2:1:", "UTF-8"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(source: bytes, file: str, where: str, words: str) -> None:
    found = said(source, file)
    assert found[0].startswith(where), found
    assert words in found[0]


def test_of_many_problems_only_some_are_said() -> None:
    assert len(said(b"id,name,url\n" + b"a,b,c\n" * 5000, "c.csv")) == 50


def test_a_folder_has_one_catalogue(tmp_path: Path) -> None:
    assert load_catalog(tmp_path).items == {}
    (tmp_path / "catalog.csv").write_bytes(CSV)
    assert len(load_catalog(tmp_path).items) == 2
    (tmp_path / "catalog.yaml").write_bytes(YAML)
    with pytest.raises(DefinitionError, match="second catalogue"):
        load_catalog(tmp_path)


def test_rules_name_only_what_the_catalogue_has() -> None:
    catalog = read_catalog(CSV, "c.csv")
    text = "rules:\n  - bought: {item: thro}\n    then: [comb]\n"
    text += "  - bought: {category: lines}\n    then: {category: care}\nbest_sellers: [mug]\n"
    with pytest.raises(DefinitionError) as caught:
        load_recommendations(text, "r.yaml", catalog)
    assert [f"{each.line}:{each.column}" for each in caught.value.problems] == ["2:20", "3:12", "4:24", "6:16"]
    assert "did you mean `throw`" in caught.value.problems[0].message
    good = load_recommendations("rules:\n  - bought: {category: linen}\n    then: [throw]\n", "r.yaml", catalog)
    assert check_recommendations(good, catalog) == []
    assert good.not_again_for == RecommendationSettings().not_again_for


def test_a_broken_catalogue_is_said_with_everything_else_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_bytes(CSV.replace(b"45.50", b"cheap"))
    (tmp_path / "recommendations.yaml").write_text("best_sellers: [nothing]\n")
    with pytest.raises(DefinitionError) as caught:
        load(tmp_path)
    assert any("catalog.csv:2:" in str(problem) for problem in caught.value.problems)
    assert any("shop.yaml" in str(problem) for problem in caught.value.problems)
