"""`stack report` on a real change of the program, in a temporary repository."""

import re
import subprocess
from pathlib import Path

import pytest

from bundle import Target
from stack.report.markdown import format_bytes
from tests.support import repository
from tests.support.repository import Repository

pytestmark = [
    pytest.mark.xdist_group("report"),
    pytest.mark.timeout(900),
]  # two programs are built, migrated and compared

MIGRATION = '''"""A note on an account."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE accounts ADD COLUMN note varchar(80)")


def downgrade() -> None:
    op.execute("ALTER TABLE accounts DROP COLUMN note")
'''


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with changes of every kind.

    Another major version of Postgres, more memory, a wider policy, a renamed log group, a renamed
    output and operation, and a new column.
    """
    copy = repository.make(tmp_path_factory.mktemp("report") / "checkout")
    copy.write(
        "Pulumi.prod.yaml",
        (copy.root / "Pulumi.prod.yaml").read_text()
        + "  ai-success-insights:postgresVersion: 18\n",
    )
    copy.replace(
        "components/policies.py",
        '"logs:CreateLogStream", ',
        '"logs:CreateLogStream", "logs:DescribeLogStreams", ',
    )
    copy.replace("__main__.py", 'pulumi.export("function_name"', 'pulumi.export("lambda_name"')
    copy.replace("components/gateway.py", 'f"{name}-access-log"', 'f"{name}-requests|`@everyone`"')
    copy.replace(
        "service/routes/portfolio.py", '    "/portfolio/summary"', '    "/portfolio/overview"'
    )
    copy.write("service/migrations/versions/0007_note.py", MIGRATION)
    copy.commit()
    copy.replace("Pulumi.yaml", "    default: 512\n", "    default: 1024\n")  # not committed
    return copy


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


def test_losses_come_first_with_the_data_that_are_lost(
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
        "first the change that the engine refuses"
    )
    assert "lost" in report.splitlines()[2]


def test_a_replaced_invocation_loses_no_data(sections: dict[str, str]) -> None:
    migration = row(sections["Replaced or lost"], "`service-migration`")
    assert "| is replaced | nothing |" in migration
    assert "`triggers.migrations`" in migration


def test_created_and_changed_resources_are_listed_with_old_and_new_values(
    sections: dict[str, str],
) -> None:
    assert "aws:cloudwatch/logGroup:LogGroup" in row(sections["Created"], "gateway-requests")
    function = row(sections["Changed in place"], "`service-api-function`")
    assert "`memorySize`: `512` → `1024`" in function
    assert "`code`: `content " in function


def test_a_removed_stack_output_is_listed(sections: dict[str, str]) -> None:
    assert "**removed**" in row(sections["Stack outputs"], "`function_name`")
    assert "added" in row(sections["Stack outputs"], "`lambda_name`")


def test_an_added_permission_is_listed_with_action_and_resource(sections: dict[str, str]) -> None:
    added = row(sections["Permissions"], "`service-api-policy`")
    assert "**added**" in added
    assert "`logs:DescribeLogStreams`" in added
    assert "`${service-api-log.arn}:*`" in added
    assert "logs:PutLogEvents" not in sections["Permissions"], (
        "unchanged permissions are not listed"
    )


def test_sizes_and_import_times_of_both_sides_are_shown(
    changed: Repository, sections: dict[str, str]
) -> None:
    section = sections["Bundle and init time"]
    zips = changed.root / Target(architecture="arm64", python="3.13").directory
    for name in ("code.zip", "layer.zip"):
        size = format_bytes((zips / name).stat().st_size)
        assert row(section, f"`{name}`").split(" | ")[2] == size
    assert row(section, "`layer.zip`").split(" | ")[3] == "0 B"
    for side in ("base", "head"):
        minimum, median = (
            int(number) for number in re.findall(r"(\d+) ms", row(section, f"| {side} |", " ms "))
        )
        assert 0 < minimum <= median


def test_a_removed_operation_may_break_clients_and_an_added_one_may_not(
    sections: dict[str, str],
) -> None:
    assert "**may break clients**" in row(sections["API"], "`GET /portfolio/summary`")
    assert "may break" not in row(sections["API"], "`GET /portfolio/overview`")


def test_migrations_run_on_an_empty_database_and_on_the_bases_and_the_schemas_are_compared(
    sections: dict[str, str],
) -> None:
    section = sections["Database schema"]
    assert "run: `0001`, `0002`" in row(section, "head on an empty database")
    assert row(section, "head on the base's database").endswith("run: `0007` |")
    assert "+    note character varying(80)" in section
    assert "another schema" not in section


def test_the_cost_shows_the_difference_of_the_change(sections: dict[str, str]) -> None:
    function = row(sections["Cost a month"], "`Lambda ai-success-insights-prod-api`")
    assert re.search(r"\| 0\.00 \| = \| [\d.]+ \| \+[\d.]+ \|$", function), (
        "memory costs nothing at rest"
    )
    assert "Not in the table of prices" not in sections["Cost a month"]


def test_text_of_the_program_is_shown_as_code_only(report: str) -> None:
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


def test_a_broken_head_gives_a_report_with_its_errors(changed: Repository, report: str) -> None:
    assert report, "the report is written before the checkout is broken"
    changed.replace("Pulumi.yaml", "    default: 1024\n", "    default: 64\n")
    changed.replace(
        "service/migrations/versions/0007_note.py", "ADD COLUMN note", "ADD COLUMN name"
    )
    changed.replace(
        "service/app.py",
        '"""Creates the application:',
        'import nowhere\n"""Creates the application:',
    )
    try:
        text = changed.checkout.run("report", "--base", "base")
    finally:
        changed.git("stash", "--quiet")
    assert "The program of the head could not be evaluated to its end" in text
    assert "memory is 64: 128 to 10240" in text
    assert re.search(
        r"head on the base's database \| \*\*fails\*\*: "
        r"`.*DuplicateColumn 42701 in 0007_note\.py, line \d+`",
        text,
    )
    assert text.count("This could not be determined") == 2, "the import, and the OpenAPI document"
    assert "No module named 'nowhere'" in text
    assert "The schemas could not be compared." in text


def test_the_report_covers_uncommitted_changes_and_says_so(report: str) -> None:
    assert "with uncommitted changes" in report.splitlines()[0]


@pytest.mark.parametrize("revision", ["nowhere", "", "--help", "HEAD:service", "base..HEAD"])
def test_an_unknown_revision_is_a_usage_error(changed: Repository, revision: str) -> None:
    text = changed.checkout.run("report", f"--base={revision}", code=2)
    assert f"--base {revision}: git knows no such commit here" in text
    assert "Traceback" not in text


def test_a_report_needs_a_base(changed: Repository) -> None:
    assert "--base" in changed.checkout.run("report", code=2)


def test_outside_a_repository_the_error_is_that_of_git(changed: Repository, tmp_path: Path) -> None:
    command = changed.checkout.command("report", "--base", "main")
    command[command.index("--root") + 1] = str(tmp_path)
    process = subprocess.run(command, cwd=changed.root, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert "not a git repository" in process.stderr
    assert process.stdout == ""


def test_the_error_names_an_output_file_that_cannot_be_written(changed: Repository) -> None:
    text = changed.checkout.run(
        "report", "--base", "HEAD", "--output", "Pulumi.yaml/report.md", code=1
    )
    assert "--output Pulumi.yaml/report.md" in text
