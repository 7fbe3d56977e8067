"""Everything the OpenAPI description allows, and what it does not, on every endpoint: nothing may answer 5xx."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from tests.gateway.conftest import BASE, WHERE, Site, quoted

from njord.gateway.access import Policy
from njord.gateway.users import Role

OPEN = Policy(
    requests_per_s=10_000, requests_burst=100_000, log_ins_per_s=10_000, log_ins_burst=100_000,
    addresses_log_in_burst=100_000, registrations_per_s=10_000, registrations_burst=100_000,
)  # fmt: skip
# Ends the session that asks, which would make the rest of the run see nothing but 401
ENDS_IT = ("/auth/logout", "/auth/password")


@pytest.mark.slow
@pytest.mark.parametrize("where", WHERE)
def test_no_endpoint_answers_5xx_whatever_it_is_sent(tmp_path, where, request):
    site = Site(tmp_path, OPEN, space=request.getfixturevalue("redis_space") if where == "apart" else None)
    try:
        quoted(site)
        founder = site.user("fuzzer", Role.FOUNDER)
        schema = schemathesis.openapi.from_dict(site.app.openapi())
        asked: dict[str, int] = {}

        def tried(case):
            path = case.operation.label
            if any(each in path for each in ENDS_IT):
                return
            wanted = case.as_transport_kwargs(base_url=BASE)
            given = {name: wanted[name] for name in ("method", "url", "params", "json") if name in wanted}
            if "data" in wanted:
                given["content"] = wanted["data"]
            headers = {"X-CSRF-Token": founder.csrf}
            answer = founder.http.request(**given, headers=headers)
            asked[path] = asked.get(path, 0) + 1
            assert answer.status_code < 500, (path, given, answer.status_code, answer.text)

        for operation in schema.get_all_operations():
            made = operation.ok()
            run = made.as_strategy()
            fuzz(run, tried)
        assert len(asked) >= 40
        assert sum(asked.values()) >= 400
        assert site.platform.failure is None
        assert founder.get("/auth/me").status_code == 200
    finally:
        site.close()


def fuzz(strategy, act):
    @settings(max_examples=16, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=strategy)
    def run(case):
        act(case)

    run()
