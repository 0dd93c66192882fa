"""The handlers of Vercel projects, variables, domains and deployments."""

from typing import Any

import pytest

from common.errors import UserError
from tests.support.handler_bench import (
    DEPLOYMENT,
    DOMAIN,
    PORTS,
    VARIABLE,
    VERCEL_PROJECT,
    HandlerBench,
)


@pytest.mark.parametrize(
    ("type_", "changed", "message"),
    [
        (VERCEL_PROJECT, {"name": None}, "random suffix"),
        (VERCEL_PROJECT, {"name": "Insights"}, "1 to 52 of a-z"),
        (VERCEL_PROJECT, {"name": "a" * 53}, "1 to 52 of a-z"),
        (VERCEL_PROJECT, {"framework": "nextjs"}, "'framework' is not supported locally"),
        (VARIABLE, {"targets": []}, "are expected"),
        (VARIABLE, {"targets": ["staging"]}, "targets are ['staging']"),
        (DEPLOYMENT, {"files": {"/srv/package.json": "1~a"}}, "relative to"),
        (DEPLOYMENT, {"files": {"../package.json": "1~a"}}, "relative to"),
        (DEPLOYMENT, {"files": {}}, "files is empty"),
    ],
)
def test_inputs_that_vercel_or_the_local_cloud_would_refuse_are_refused(
    bench: HandlerBench, type_: str, changed: dict[str, Any], message: str
):
    assert message in bench.refusal(type_, **changed)


def test_a_domain_other_than_the_local_one_is_refused_with_the_local_one(bench: HandlerBench):
    with pytest.raises(
        UserError,
        match=rf"'insights.example.com' cannot be served.*localhost:{PORTS.site}",
    ):
        bench.create(DOMAIN, domain="insights.example.com")


def test_a_deployment_is_built_with_its_projects_variables_and_replaced_for_other_ones(
    bench: HandlerBench,
):
    bench.create(VARIABLE)
    bench.create(DOMAIN)
    identity, outputs = bench.create(DEPLOYMENT)
    assert bench.data.built == [(bench.root / "frontend", {"NEXT_PUBLIC_API_URL": "http://x"})]
    assert outputs["domains"] == [f"localhost:{PORTS.site}"]
    bench.update(VARIABLE, "prj_1/NEXT_PUBLIC_API_URL", value="http://y")
    assert bench.create(DEPLOYMENT)[0] != identity


def test_a_deployment_whose_pages_are_missing_is_built_again(bench: HandlerBench):
    identity, outputs = bench.create(DEPLOYMENT)
    assert bench.read(DEPLOYMENT, identity, outputs) is not None
    (bench.root / "pages").rmdir()
    assert bench.read(DEPLOYMENT, identity, outputs) is None
    bench.data.enabled = False
    assert bench.read(DEPLOYMENT, identity, outputs) is not None, (
        "without the frontend there are no pages"
    )
