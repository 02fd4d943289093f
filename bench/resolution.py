"""Resolution judged on labelled people: rows, pairs, seconds, and how well clusters agree with the truth; exact equality beside.

    python -m bench.resolution [--data FOLDER]

The threshold of each file stands in bench/resolution_settings/ and was chosen on 30 % of the people of history, by a hash
of whose a record is; figures are of the other 70 %. No label is learned from. "cluster F1" is pairwise, from final clusters.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from bench.measuring import Report
from sojourn.customers.resolution.evaluating import Score
from sojourn.customers.resolution.judging import judge
from sojourn.language.loader import load_resolution

ROOT = Path(__file__).parents[1]
SETTINGS = Path(__file__).with_name("resolution_settings")
DATA = ROOT.parent / "shared" / "data" / "identity"
FILES = {
    "historical_figures.parquet": [("first_name", "surname", "dob"), ("surname", "postcode_fake")],
    "fake_1000.csv": [("email",), ("first_name", "surname", "dob")],
}
GOAL = 0.83


def measure(file: Path, exact: list[tuple[str, ...]], report: Report) -> float:
    """Judge one file; return its cluster F1."""
    settings = load_resolution((SETTINGS / f"{file.stem}.yaml").read_bytes())
    began, wall = time.process_time(), time.monotonic()
    found = judge(settings, file, "cluster", lambda *_: None, id_column="unique_id", exact=exact)
    spent, took = time.process_time() - began, time.monotonic() - wall
    fixed = found.fixed
    report.case(
        f"{file.stem} at {fixed.threshold:g}", rows=found.records, people=found.persons, judged=found.records - found.tuned_on,
        pairs=found.candidates, seconds=took, cpu_s=spent, **_figures(fixed.judged), B3_F1=fixed.b_cubed.f1, whole_F1=fixed.whole.f1,
    )  # fmt: skip
    for name, score in found.exact.items():
        report.case(f"{file.stem}: exact on {name}", **_figures(score))
    return fixed.judged.f1


def _figures(score: Score) -> dict[str, float]:
    return {"precision": round(score.precision, 4), "recall": round(score.recall, 4), "cluster_F1": round(score.f1, 4)}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the labelled files (../shared/data/identity)")
    asked = parser.parse_args()
    with Report("resolution", len(FILES)) as report:
        for name, exact in FILES.items():
            report.advance(name)
            f1 = measure(asked.data / name, exact, report)
            if name.startswith("historical"):
                report.goal(f"cluster F1 of people of history at least {GOAL}", f1, f1 >= GOAL)


if __name__ == "__main__":
    main()
