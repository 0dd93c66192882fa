"""Which route of an HTTP API a request takes."""

import pytest

from stack.local.apigateway.routes import Router


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1"),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
        ("GET", "/pets/cat/1/2", "GET /pets/{proxy+}"),
        ("POST", "/pets/dog/1", "ANY /{proxy+}"),
        ("GET", "/pets", "ANY /{proxy+}"),
        ("PUT", "/orders", "ANY /orders"),
        ("GET", "/orders", "GET /orders"),
        ("GET", "/", "$default"),
    ],
)
def test_the_most_specific_route_is_selected(method: str, path: str, route: str) -> None:
    keys = [
        "$default",
        "ANY /{proxy+}",
        "GET /pets/{proxy+}",
        "GET /pets/dog/{id}",
        "GET /pets/dog/1",
        "ANY /orders",
        "GET /orders",
    ]
    found = Router({key: key for key in keys}).find(method, path)
    assert found is not None
    assert found[0] == route


def test_a_route_captures_its_variables() -> None:
    router = Router({"GET /a/{id}": 1, "GET /b/{id}/{rest+}": 2})
    assert router.find("GET", "/a/7") == (1, {"id": "7"})
    assert router.find("GET", "/b/7/x/y") == (2, {"id": "7", "rest": "x/y"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/a/7"),
        ("GET", "/a/"),
        ("GET", "/a"),
        ("GET", "/a/7/8"),
        ("GET", "/b/7/"),
        ("GET", "/"),
    ],
)
def test_a_request_that_no_route_matches_has_none(method: str, path: str) -> None:
    assert Router({"GET /a/{id}": 1, "GET /b/{id}/{rest+}": 2}).find(method, path) is None


@pytest.mark.parametrize("key", ["get /x", "GET x", "GET", "/x", "FETCH /x", "GET /{proxy+}/x", ""])
def test_a_route_key_that_aws_refuses_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="route key"):
        Router({key: 1})
