"""What operators do in the web app: an account's risk profile, with a founder's leave where another allows more."""

import pytest
from tests.e2e.conftest import api, go

from njord.cli import risk as cli

pytestmark = [pytest.mark.slow, pytest.mark.connects]


@pytest.fixture
def account(founder, trader):
    return api(trader, "/auth/me")["account_id"]


def profile_form(page, opened, account, profile):
    go(page, opened, "/risk")
    page.get_by_role("button", name=f"Risk profile of {account}").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Judge it by").select_option(profile)
    form.get_by_label("What changes").wait_for()
    return form


def test_a_profile_is_loosened_with_a_founders_approval_only(
    founder, trader, opened, account, home, tmp_path, monkeypatch, capsys
):
    form = profile_form(founder, opened, account, "market_making")
    assert "leverage max" in form.get_by_text("Allows more").inner_text()
    with founder.expect_response(lambda answer: answer.request.method == "PUT") as heard:
        form.get_by_role("button", name="Loosen").click()
    assert heard.value.status == 409
    field = form.locator(".field", has_text="Founder")
    assert field.get_by_role("alert").inner_text() == heard.value.json()["error"]
    with founder.expect_download() as saved:
        form.get_by_role("button", name="Save what is in force").click()
    saved.value.save_as(tmp_path / "in-force.json")
    monkeypatch.setenv("NJORD_HOME", str(home))
    cli.keygen("ann", out=tmp_path / "ann.pem")
    capsys.readouterr()
    cli.approve(
        "market_making", key=tmp_path / "ann.pem", reason="it makes markets", account=account,
        after=str(tmp_path / "in-force.json"),
    )  # fmt: skip
    signed = home / "approvals" / capsys.readouterr().out.splitlines()[0].rpartition("/")[2]
    form.get_by_label("File of the approval").set_input_files(signed)
    form.get_by_role("button", name="Loosen").click()
    form.wait_for(state="detached")
    founder.get_by_role("button", name=f"Risk profile of {account}").get_by_text("market making").wait_for()
    assert api(trader, "/risk")["profile"] == "market_making"
    go(trader, opened, "/audit")
    trader.get_by_text("profile changed").nth(1).wait_for()
    trader.get_by_text(f"approval id {signed.stem}").wait_for()


def test_a_profile_is_tightened_at_once(founder, trader, opened, account, home):
    before = api(trader, "/risk")["settings"]
    (home / "profiles").mkdir(exist_ok=True)
    lines = [f"{name}: {value}" for name, value in before.items() if isinstance(value, str) and name != "name"]
    text = "\n".join(["name: careful", "orders_per_s_max: 2", "short_allowed: true", "drawdown_tiers:", *tiers(before)])
    (home / "profiles" / "careful.yaml").write_text("\n".join([text, *lines, ""]))
    form = profile_form(founder, opened, account, "careful")
    form.get_by_text("needs nobody").wait_for()
    form.get_by_role("button", name="Tighten").click()
    form.wait_for(state="detached")
    founder.get_by_role("button", name=f"Risk profile of {account}").get_by_text("careful").wait_for()
    go(trader, opened, "/risk")
    trader.get_by_text("Profile in force: careful").wait_for()


def tiers(settings):
    return [f"  - {{drawdown: {each['drawdown']}, entries: {str(each['entries']).lower()}, size: {each['size']}}}"
            for each in settings["drawdown_tiers"]]  # fmt: skip


def test_an_operator_reads_what_is_on_record_of_another_account(founder, trader, opened, account):
    go(founder, opened, "/risk")
    founder.get_by_role("link", name=account).click()
    founder.get_by_role("heading", name="Audit").wait_for()
    assert founder.get_by_label("Account").input_value() == account
    founder.get_by_role("button", name=f"{account}-000001").click()
    founder.get_by_text(f"Timeline of {account}-000001").wait_for()
    founder.locator(".step-list li").first.wait_for()
    founder.get_by_role("button", name="Verify the chain").click()
    founder.get_by_text("The chain holds").wait_for()
    go(trader, opened, "/audit")
    assert trader.get_by_label("Account", exact=True).count() == 0
