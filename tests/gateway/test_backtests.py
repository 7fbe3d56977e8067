"""Backtests from the API: run beside a market that goes on, with a report that can reach nothing."""

import time

import pytest


@pytest.mark.slow
def test_a_backtest_runs_and_its_report_is_its_owners(site):
    ann, eve = site.user(), site.user()
    wanted = {
        "strategy": "ema_cross", "params": {"fast": 5, "slow": 20, "quantity": 10.0}, "instrument_id": "BRAGE.SIM",
        "interval_s": 60, "cash": "100000", "taker_fee": "0.0001",
    }  # fmt: skip
    begun = site.platform.now_ns
    started = ann.post("/backtests", wanted)
    assert started.status_code == 201, started.text
    name = started.json()["backtest_id"]
    for _ in range(240):
        found = ann.get(f"/backtests/{name}").json()
        if found["status"] not in ("waiting", "running"):
            break
        time.sleep(0.25)
    assert found["status"] == "done", found["error"]
    assert found["stats"]["events"] >= 1_400  # The day the market has lived before it opened
    assert len(found["digest"]) == 64
    assert site.platform.now_ns > begun
    report = ann.get(f"/backtests/{name}/report")
    assert report.status_code == 200
    assert "sandbox" in report.headers["content-security-policy"]
    assert "<html" in report.text[:500].lower()
    assert eve.get(f"/backtests/{name}").status_code == 404
    assert eve.get(f"/backtests/{name}/report").status_code == 404
    assert eve.get("/backtests").json() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"strategy": "no_such"}, "strategy"), ({"params": {"fast": 50, "slow": 10}}, "strategy"),
        ({"params": {"nonsense": 1}}, "strategy"), ({"interval_s": 7}, "interval_s"), ({"cash": "much"}, "cash"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_said_at_once(site, change, field):
    body = {"strategy": "ema_cross", "params": {}, "instrument_id": "BRAGE.SIM", "interval_s": 60, **change}
    answer = site.user().post("/backtests", body)
    assert answer.status_code == 422
    assert answer.json()["field"] == field
