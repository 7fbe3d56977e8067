"""njord research: papers done again, one document on stdout, errors of one line."""

import pytest


def test_without_a_paper_it_says_which_there_are(njord):
    said, told = njord("research", "papers", "--json"), njord("research", "papers")

    names = [each["name"] for each in said.document["papers"]]
    assert (said.code, names) == (0, ["avellaneda-stoikov", "glft"])
    assert all(name in told.out for name in names)


def test_avellaneda_stoikov_as_a_document(njord):
    said = njord(
        "research", "papers", "avellaneda-stoikov", "--paths", 2000, "--seed", 7, "--fill", "paper_linear", "--json"
    )

    found = said.document
    assert said.code == 0
    assert {key: found[key] for key in ("paper", "paths", "seed", "fill", "published_paths")} == {
        "paper": "avellaneda-stoikov", "paths": 2000, "seed": 7, "fill": "paper_linear", "published_paths": 1000,
    }  # fmt: skip
    assert [(row["gamma"], row["strategy"]) for row in found["rows"]] == [
        (gamma, strategy) for gamma in (0.1, 0.01, 1.0) for strategy in ("inventory", "symmetric")
    ]
    inventory = {figure["name"]: figure for figure in found["rows"][0]["figures"]}
    assert inventory["profit"]["published"] == 65.0
    assert inventory["profit"]["exact"] == pytest.approx(64.8925, abs=1e-4)
    assert abs(inventory["profit"]["simulated_deviation"]) < 4
    assert inventory["spread"]["simulated_deviation"] is None
    assert inventory["fills"]["published"] is None


def test_poisson_is_the_default_and_a_seed_repeats(njord):
    words = ("research", "papers", "avellaneda-stoikov", "--paths", 500, "--gamma", 0.1, "--json")
    first, again, other = njord(*words), njord(*words), njord(*words, "--seed", 2)

    assert first.document["fill"] == "poisson"
    assert first.out == again.out != other.out
    assert first.document["rows"][0]["figures"][1]["exact"] == pytest.approx(57.17, abs=0.01)


def test_tables_for_people(njord):
    said = njord("research", "papers", "avellaneda-stoikov", "--paths", 500, "--gamma", 0.5)

    assert said.code == 0
    assert "42.8847" in said.out  # Exact, inventory
    assert "500 paths, seed 1, fill poisson" in said.out


def test_glft(njord):
    said, told = njord("research", "papers", "glft", "--json"), njord("research", "papers", "glft")

    paper, _ = said.document["tables"]
    assert paper["rows"][0]["bid_exact"] == pytest.approx(3.313045, abs=5.5e-7)
    assert paper["parameters"]["decay"] == 0.3
    assert "3.313045" in told.out
    assert "0.671628" in told.out


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("black-scholes",), 1, "error: paper 'black-scholes': must be one of avellaneda-stoikov, glft"),
        (("avellaneda-stoikov", "--paths", "1"), 1, "error: paths: must be 2 .. 10000000, was 1"),
        (("avellaneda-stoikov", "--seed", "-3"), 1, "error: seed: must be >= 0, was -3"),
        (("avellaneda-stoikov", "--gamma", "-1"), 1, "error: gamma: must be >= 0 and finite, was -1.0"),
        (("avellaneda-stoikov", "--fill", "always"), 2, "error: "),
        (("avellaneda-stoikov", "--paths", "many"), 2, "error: "),
    ],
)
def test_what_is_wrong_is_said_in_a_line(njord, words, code, reason):
    said = njord("research", "papers", *words, "--json")

    assert (said.code, said.out) == (code, "")
    assert said.err.startswith(reason)
    assert "Traceback" not in said.err
