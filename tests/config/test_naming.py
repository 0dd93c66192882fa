"""Physical names are valid for their service, and no two stacks share one."""

import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from config.naming import DEFAULT_REGION, LAMBDA_LIMIT, Names, fit
from config.rules import NEON_REGIONS

PATIENT = settings(deadline=None, database=None)
PROJECT = "ai-success-insights"
KINDS = {
    # what the service allows (its API reference)
    "api": r"[A-Za-z0-9_-]{1,128}",
    "function": r"[A-Za-z0-9_-]{1,64}",
    "migration_function": r"[A-Za-z0-9_-]{1,64}",
    "upkeep_function": r"[A-Za-z0-9_-]{1,64}",
    "function_role": r"[A-Za-z0-9_+=,.@-]{1,64}",
    "migration_role": r"[A-Za-z0-9_+=,.@-]{1,64}",
    "upkeep_role": r"[A-Za-z0-9_+=,.@-]{1,64}",
    "schedule_role": r"[A-Za-z0-9_+=,.@-]{1,64}",
    "schedule_group": r"[A-Za-z0-9_.-]{1,64}",
    "upkeep_schedule": r"[A-Za-z0-9_.-]{1,64}",
    "layer": r"[A-Za-z0-9_-]{1,140}",
    "function_log_group": r"[A-Za-z0-9_/.#-]{1,512}",
    "migration_log_group": r"[A-Za-z0-9_/.#-]{1,512}",
    "upkeep_log_group": r"[A-Za-z0-9_/.#-]{1,512}",
    "access_log_group": r"/aws/vendedlogs/[A-Za-z0-9_/.#-]{1,496}",
    "vercel_project": r"[a-z0-9-]{1,52}",
    "neon_project": r"[A-Za-z0-9_-]{1,64}",
    "neon_branch": r"[A-Za-z0-9_-]{1,63}",
    "database": r"[a-z][a-z0-9_]{0,62}",
}
ONE_PER_REGION = {
    "api",
    "function",
    "migration_function",
    "upkeep_function",
    "schedule_group",
    "upkeep_schedule",
    "layer",
    "function_log_group",
    "migration_log_group",
    "upkeep_log_group",
    "access_log_group",
}
CASE_INSENSITIVE = {
    "function_role",
    "migration_role",
    "upkeep_role",
    "schedule_role",
}  # IAM, CreateRole

stacks = st.text("abcPR07._-", min_size=1, max_size=100) | st.from_regex(
    r"(dev|pr-[0-9]{1,6})(-[a-z]{2}-(east|west)-[0-9])?", fullmatch=True
)
regions = st.sampled_from([*NEON_REGIONS, "eu-west-1", "us-gov-west-1"])


def named(stack: str, region: str = DEFAULT_REGION) -> Names:
    return Names(project=PROJECT, stack=stack, region=region)


def of(names: Names) -> dict[str, str]:
    """Return every name by its kind, and fail for a kind that this file does not list."""
    found = {
        key: getattr(names, key)
        for key, value in vars(Names).items()
        if isinstance(value, property) and key != "prefix"
    }
    assert found.keys() == KINDS.keys(), "a new kind of name needs its rule here"
    return found


@PATIENT
@given(stacks, regions)
def test_every_name_is_valid_for_its_service(stack: str, region: str):
    for kind, name in of(named(stack, region)).items():
        assert re.fullmatch(KINDS[kind], name), (kind, name)


@PATIENT
@given(stacks, stacks, regions, regions)
@example("dev-eu-west-2", "dev", DEFAULT_REGION, "eu-west-2")
@example("PR", "pr", DEFAULT_REGION, DEFAULT_REGION)
@example("a.b", "a-b", DEFAULT_REGION, DEFAULT_REGION)
@example("a_b", "a-b", DEFAULT_REGION, DEFAULT_REGION)
@example("x" * 50 + "pr-70", "x" * 50 + "pr-7", DEFAULT_REGION, DEFAULT_REGION)
def test_two_stacks_never_share_a_name_of_any_kind(one: str, other: str, here: str, there: str):
    assume(one != other)
    left, right = of(named(one, here)), of(named(other, there))
    for kind, name in left.items():
        if kind not in ONE_PER_REGION or here == there:
            assert name != right[kind], kind
            if kind in CASE_INSENSITIVE:
                assert name.lower() != right[kind].lower(), kind


@PATIENT
@given(stacks, regions, regions)
def test_names_differ_between_regions(stack: str, here: str, there: str):
    assume(here != there)
    left, right = of(named(stack, here)), of(named(stack, there))
    assert not [kind for kind, name in left.items() if name == right[kind]]


@PATIENT
@given(stacks)
def test_no_stack_name_results_in_the_cut_name_of_another_stack(stack: str):
    hashed = fit(stack, 20, allowed="a-z0-9-")
    assume(hashed != stack)
    assert fit(hashed, 20, allowed="a-z0-9-") != hashed, (
        "a name that ends like a hash is hashed too"
    )


@PATIENT
@given(stacks, regions)
def test_no_two_resources_of_one_kind_in_a_stack_share_a_name(stack: str, region: str):
    found = of(named(stack, region))
    for kind, number in {"function": 3, "role": 4, "log_group": 4}.items():
        assert len({name for key, name in found.items() if key.endswith(kind)}) == number


def test_a_stack_with_a_short_name_has_names_without_a_hash():
    assert of(named("prod")) == {
        "api": "ai-success-insights-prod",
        "function": "ai-success-insights-prod-api",
        "migration_function": "ai-success-insights-prod-migrate",
        "upkeep_function": "ai-success-insights-prod-upkeep",
        "function_role": "ai-success-insights-prod-api",
        "migration_role": "ai-success-insights-prod-migrate",
        "upkeep_role": "ai-success-insights-prod-upkeep",
        "schedule_role": "ai-success-insights-prod-schedule",
        "schedule_group": "ai-success-insights-prod-schedules",
        "upkeep_schedule": "ai-success-insights-prod-upkeep",
        "layer": "ai-success-insights-prod-dependencies",
        "function_log_group": "/aws/lambda/ai-success-insights-prod-api",
        "migration_log_group": "/aws/lambda/ai-success-insights-prod-migrate",
        "upkeep_log_group": "/aws/lambda/ai-success-insights-prod-upkeep",
        "access_log_group": "/aws/vendedlogs/ai-success-insights-prod-access",
        "vercel_project": "ai-success-insights-prod",
        "neon_project": "ai-success-insights-prod",
        "neon_branch": "ai-success-insights-prod",
        "database": "ai_success_insights_prod",
    }


def test_names_contain_the_region_if_it_is_not_the_default():
    names = of(named("prod", "eu-central-1"))
    assert names["function"] == "ai-success-insights-prod-eu-central-1-api"
    assert names["database"] == "ai_success_insights_prod_eu_central_1"
    assert all(re.search("eu[-_]central[-_]1", name) for name in names.values())


@pytest.mark.parametrize("at", [40, 57, 64, 90])
def test_a_long_name_is_cut_with_a_hash_so_that_pr_70_is_not_pr_7(at: int):
    long = "x" * at
    seventy, seven = named(f"{long}-pr-70"), named(f"{long}-pr-7")
    for kind in ("function", "function_role", "vercel_project", "neon_project", "database"):
        left, right = getattr(seventy, kind), getattr(seven, kind)
        assert left != right
        assert re.search(r"[-_][0-9a-f]{6}$", left), "the end is a hash"
        assert not left.startswith(right)


def test_a_name_of_the_maximum_length_is_unchanged_and_a_longer_one_is_cut():
    assert fit("a" * LAMBDA_LIMIT, LAMBDA_LIMIT) == "a" * LAMBDA_LIMIT
    cut = fit("a" * (LAMBDA_LIMIT + 1), LAMBDA_LIMIT)
    assert len(cut) == LAMBDA_LIMIT
    assert re.fullmatch(r"a+-[0-9a-f]{6}", cut)


@pytest.mark.parametrize(
    ("stack", "vercel"),
    [
        ("Feature_X", "ai-success-insights-feature-x-"),
        ("pr.7", "ai-success-insights-pr-7-"),
        ("...", "ai-success-insights-"),
    ],
)
def test_characters_that_a_service_refuses_are_replaced_and_a_hash_is_added(
    stack: str, vercel: str
):
    assert re.fullmatch(f"{vercel}[0-9a-f]{{6}}", named(stack).vercel_project)
