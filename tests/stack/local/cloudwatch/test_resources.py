"""The handler of log groups."""

from tests.support.handler_bench import LOG_GROUP, HandlerBench


def test_a_log_group_needs_a_retention_and_stores_records(bench: HandlerBench):
    assert "retentionInDays is missing" in bench.refusal(LOG_GROUP, retentionInDays=None)
    bench.create(LOG_GROUP)
    bench.logs.group("/aws/lambda/api").write("hello")
    assert [record.message.strip() for record in bench.logs.records()] == ["hello"]
