"""The token bucket of the throttling."""

from stack.local.apigateway.throttle import TokenBucket


def test_a_bucket_passes_its_burst_and_then_its_rate() -> None:
    now = 0.0
    bucket = TokenBucket(10, 3, lambda: now)
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]
    now = 0.25
    assert [bucket.take() for _ in range(4)] == [True, True, False, False]
    now = 100.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False], (
        "it never holds more than its burst"
    )


def test_a_rate_and_burst_of_zero_pass_nothing() -> None:
    assert not TokenBucket(0, 0).take()
