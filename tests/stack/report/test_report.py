"""`stack report` on a real change of the program, in a repository of its own: built, migrated, compared, with nothing left behind."""

import re
import subprocess
from pathlib import Path

import pytest

from bundle import Target
from bundle.target import BUNDLES as DIRECTORY
from stack.report.markdown import bytes_
from tests.support import repository
from tests.support.repository import Repository

pytestmark = [
    pytest.mark.xdist_group("report"),
    pytest.mark.timeout(900),
]  # two programs are built, migrated and compared

MIGRATION = '''"""A note on an account."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE accounts ADD COLUMN note varchar(80)")


def downgrade() -> None:
    op.execute("ALTER TABLE accounts DROP COLUMN note")
'''


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Another major version of Postgres, more memory, a wider policy, a renamed log group, an operation less, a column more."""
    made = repository.make(tmp_path_factory.mktemp("report") / "checkout")
    made.write(
        "Pulumi.prod.yaml",
        (made.root / "Pulumi.prod.yaml").read_text()
        + "  ai-success-insights:postgresVersion: 18\n",
    )
    made.replace(
        "components/policies.py",
        '"logs:CreateLogStream", ',
        '"logs:CreateLogStream", "logs:DescribeLogStreams", ',
    )
    made.replace("__main__.py", 'pulumi.export("function_name"', 'pulumi.export("lambda_name"')
    made.replace("components/gateway.py", 'f"{name}-access-log"', 'f"{name}-requests|`@everyone`"')
    made.replace(
        "service/routes/portfolio.py", '    "/portfolio/summary"', '    "/portfolio/overview"'
    )
    made.write("service/migrations/versions/0004_note.py", MIGRATION)
    made.commit()
    made.replace(
        "Pulumi.yaml", "    default: 512\n", "    default: 1024\n"
    )  # and this not even committed
    return made


@pytest.fixture(scope="module")
def report(changed: Repository) -> str:
    changed.checkout.run("report", "--base", "base", "--output", "out/report.md")
    return (changed.root / "out/report.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sections(report: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", report, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def row(section: str, *cells: str) -> str:
    found = [line for line in section.splitlines() if all(cell in line for cell in cells)]
    assert len(found) == 1, f"{len(found)} rows with {cells} in {section}"
    return found[0]


def test_what_is_lost_comes_first_and_with_what_it_takes_along(
    report: str, sections: dict[str, str]
) -> None:
    assert next(iter(sections)) == "Replaced or lost"
    project = row(sections["Replaced or lost"], "`database-project`")
    assert "**is replaced**; protected, so the update is refused" in project
    assert "its databases with their data" in project
    assert "`pgVersion`: `17` → `18`" in project
    group = row(sections["Replaced or lost"], "`gateway-access-log`")
    assert "**is deleted**" in group
    assert "its logs" in group
    assert "protected" in sections["Replaced or lost"].splitlines()[4], (
        "first what the engine will refuse"
    )
    assert "lost" in report.splitlines()[2]


def test_a_call_at_deployment_is_replaced_and_loses_nothing(sections: dict[str, str]) -> None:
    migration = row(sections["Replaced or lost"], "`service-migration`")
    assert "| is replaced | nothing |" in migration
    assert "`triggers.migrations`" in migration


def test_what_is_created_and_changed_is_told_with_old_and_new_values(
    sections: dict[str, str],
) -> None:
    assert "aws:cloudwatch/logGroup:LogGroup" in row(sections["Created"], "gateway-requests")
    function = row(sections["Changed in place"], "`service-api-function`")
    assert "`memorySize`: `512` → `1024`" in function
    assert "`code`: `content " in function


def test_an_output_that_goes_is_told_because_others_read_it(sections: dict[str, str]) -> None:
    assert "**goes**" in row(sections["Stack outputs"], "`function_name`")
    assert "appears" in row(sections["Stack outputs"], "`lambda_name`")


def test_a_permission_that_appears_is_told_by_action_and_resource(sections: dict[str, str]) -> None:
    appears = row(sections["Permissions"], "`service-api-policy`")
    assert "**appears**" in appears
    assert "`logs:DescribeLogStreams`" in appears
    assert "`${service-api-log.arn}:*`" in appears
    assert "logs:PutLogEvents" not in sections["Permissions"], "what stays is not told"


def test_the_zips_and_the_import_have_figures_of_both_sides(
    changed: Repository, sections: dict[str, str]
) -> None:
    section = sections["Bundle and init time"]
    zips = changed.root / DIRECTORY / Target(architecture="arm64", python="3.13").name
    for name in ("code.zip", "layer.zip"):
        size = bytes_((zips / name).stat().st_size)
        assert row(section, f"`{name}`").split(" | ")[2] == size
    assert row(section, "`layer.zip`").split(" | ")[3] == "0 B"
    for side in ("base", "head"):
        least, median = (
            int(figure) for figure in re.findall(r"(\d+) ms", row(section, f"| {side} |", " ms "))
        )
        assert 0 < least <= median


def test_an_operation_that_goes_may_break_clients_and_one_that_comes_may_not(
    sections: dict[str, str],
) -> None:
    assert "**may break clients**" in row(sections["API"], "`GET /portfolio/summary`")
    assert "may break" not in row(sections["API"], "`GET /portfolio/overview`")


def test_migrations_are_run_from_nothing_and_from_the_bases_head_and_the_schemas_are_compared(
    sections: dict[str, str],
) -> None:
    section = sections["Database schema"]
    assert "run: `0001`, `0002`" in row(section, "head from nothing")
    assert row(section, "head on the base's database").endswith("run: `0004` |")
    assert "+    note character varying(80)" in section
    assert "another schema" not in section


def test_the_cost_has_the_difference_that_the_change_makes(sections: dict[str, str]) -> None:
    function = row(sections["Cost a month"], "`Lambda ai-success-insights-prod-api`")
    assert re.search(r"\| 0\.00 \| = \| [\d.]+ \| \+[\d.]+ \|$", function), (
        "more memory costs only what is used"
    )
    assert "Not in the table of prices" not in sections["Cost a month"]


def test_text_of_the_program_renders_nothing(report: str) -> None:
    spans = re.sub(r"(`+).+?\1", "", report)
    assert "@everyone" in report
    assert "@everyone" not in spans
    assert "<script" not in report


def test_the_report_leaves_the_repository_and_the_machine_as_they_were(
    changed: Repository, report: str
) -> None:
    assert report
    assert changed.git("status", "--porcelain") == " M Pulumi.yaml\n", (
        "out/ is ignored, and so is .local/"
    )
    assert changed.git("worktree", "list").count("\n") == 1
    assert changed.checkout.processes() == []


def test_a_head_that_is_refused_fails_to_migrate_and_does_not_import_is_a_report_too(
    changed: Repository, report: str
) -> None:
    assert report, "made before anything is spoilt"
    changed.replace("Pulumi.yaml", "    default: 1024\n", "    default: 64\n")
    changed.replace(
        "service/migrations/versions/0004_note.py", "ADD COLUMN note", "ADD COLUMN name"
    )
    changed.replace("service/app.py", '"""The application:', 'import nowhere\n"""The application:')
    try:
        text = changed.checkout.run("report", "--base", "base")
    finally:
        changed.git("stash", "--quiet")
    assert "The program of the head could not be evaluated to its end" in text
    assert "memory is 64: 128 to 10240" in text
    assert re.search(
        r"head on the base's database \| \*\*fails\*\*: `.*DuplicateColumn 42701`", text
    )
    assert text.count("This could not be found out") == 2, "the import, and the OpenAPI document"
    assert "No module named 'nowhere'" in text
    assert "The schemas could not be compared." in text


def test_uncommitted_changes_are_part_of_the_head_and_the_report_says_so(report: str) -> None:
    assert "with uncommitted changes" in report.splitlines()[0]


@pytest.mark.parametrize("revision", ["nowhere", "", "--help", "HEAD:service", "base..HEAD"])
def test_a_revision_that_git_does_not_know_is_wrong_usage(
    changed: Repository, revision: str
) -> None:
    said = changed.checkout.run("report", f"--base={revision}", code=2)
    assert f"--base {revision}: git knows no such commit here" in said
    assert "Traceback" not in said


def test_a_report_needs_a_base(changed: Repository) -> None:
    assert "--base" in changed.checkout.run("report", code=2)


def test_outside_of_a_repository_the_error_is_gits_own(changed: Repository, tmp_path: Path) -> None:
    command = changed.checkout.command("report", "--base", "main")
    command[command.index("--root") + 1] = str(tmp_path)
    ended = subprocess.run(command, cwd=changed.root, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "not a git repository" in ended.stderr
    assert ended.stdout == ""


def test_a_file_that_cannot_be_written_is_named(changed: Repository) -> None:
    said = changed.checkout.run(
        "report", "--base", "HEAD", "--output", "Pulumi.yaml/report.md", code=1
    )
    assert "--output Pulumi.yaml/report.md" in said
