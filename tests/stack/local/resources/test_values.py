"""Conversion of property values between the wire, Python and JSON files."""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi.runtime import rpc

from stack.local.resources import values
from stack.local.resources.values import UNKNOWN, Archive, Secret
from tests.support.program import Recording, evaluate_source

NO_DEADLINE = settings(deadline=None, database=None)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.builds(Archive, st.text(), st.text("0123456789abcdef")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text() | st.sampled_from(["archive", "hash", "path"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
wired = st.recursive(
    plain | st.just(UNKNOWN),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(), inner, max_size=3)
        | st.builds(Secret, inner)
    ),
    max_leaves=8,
)
properties = st.dictionaries(st.text(), wired, max_size=4)


def exact(value: Any) -> Any:
    """Return the value with the type of each leaf, so that 1, 1.0 and True differ."""
    if isinstance(value, Secret):
        return ("secret", exact(value.value))
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    return (value.path, value.hash) if isinstance(value, Archive) else (type(value).__name__, value)


@NO_DEADLINE
@given(properties)
def test_decode_inverts_encode_except_for_whole_floats(sent: dict[str, Any]):
    whole = values.transform(sent, _wholes)
    assert exact(values.decode(values.encode(sent))) == exact(whole)


def _wholes(leaf: Any) -> Any:
    if isinstance(leaf, Secret):
        return Secret(values.transform(leaf.value, _wholes))
    return int(leaf) if isinstance(leaf, float) and leaf.is_integer() else leaf


@NO_DEADLINE
@given(plain)
def test_from_json_inverts_to_json_whatever_the_keys_are_called(value: Any):
    assert exact(values.from_json(json.loads(json.dumps(values.to_json(value))))) == exact(value)


@NO_DEADLINE
@given(wired)
def test_revealed_values_hold_no_wrapper_and_redacted_ones_no_secret(value: Any):
    assert not values.holds(values.reveal(value), Secret)
    shown = values.redact(value)
    assert not values.holds(shown, Secret)
    assert not values.holds(shown, values.Unknown)
    assert values.holds(values.reveal(value), values.Unknown) == values.holds(value, values.Unknown)


def test_redact_shows_where_a_secret_is_but_not_its_value():
    value = {
        "url": Secret("postgres://user:pass@host"),
        "list": [1, Secret({"deep": "pass"})],
        "name": "n",
        "later": UNKNOWN,
    }
    assert values.redact(value) == {
        "url": "[secret]",
        "list": [1, "[secret]"],
        "name": "n",
        "later": "[unknown]",
    }
    assert values.reveal(value)["list"] == [1, {"deep": "pass"}]
    assert "pass" not in repr(value)


def test_holds_looks_into_maps_lists_and_secrets():
    assert values.holds(Secret([{"a": UNKNOWN}]), values.Unknown)
    assert values.holds([Secret("x")], Secret)
    assert not values.holds({"a": ["x", None, 1]}, Secret)


def test_a_copy_of_unknown_is_the_same_object():
    assert copy.deepcopy({"a": UNKNOWN})["a"] is UNKNOWN
    assert repr(UNKNOWN) == "UNKNOWN"


def test_archives_are_equal_by_their_bytes_not_by_their_path(tmp_path: Path):
    (tmp_path / "a.zip").write_bytes(b"same")
    (tmp_path / "b.zip").write_bytes(b"same")
    (tmp_path / "c.zip").write_bytes(b"other")
    a, b, c = (Archive(f"{name}.zip").hashed(tmp_path) for name in "abc")
    assert a.hash == hashlib.sha256(b"same").hexdigest()
    assert a == b
    assert a != c
    assert hash(a) == hash(b)
    assert a != "a.zip"
    with pytest.raises(FileNotFoundError):
        Archive("none.zip").hashed(tmp_path)


def test_the_signatures_are_those_of_the_sdk():
    assert rpc._special_sig_key == values._SIGNATURE
    assert rpc._special_secret_sig == values._SECRET
    assert rpc._special_asset_sig == values._ASSET
    assert rpc._special_archive_sig == values._ARCHIVE
    assert rpc._special_output_value_sig == values._OUTPUT
    assert values._UNKNOWN_TEXT == rpc.UNKNOWN


PROGRAM = """
import asyncio
import pulumi
import pulumi_aws as aws

secret = pulumi.Output.secret("hidden")
unknown = pulumi.Output(asyncio.sleep(0, set()), asyncio.sleep(0, None), asyncio.sleep(0, False))
aws.cloudwatch.LogGroup(
    "group",
    name=secret,
    retention_in_days=7,
    tags={"plain": "a", "secret": secret, "later": unknown},
    skip_destroy=True,
)
aws.cloudwatch.LogGroup("other", tags=pulumi.Output.all(plain="a", secret=secret))
aws.lambda_.LayerVersion("layer", layer_name="l", code=pulumi.FileArchive("a.zip"))
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    directory = tmp_path_factory.mktemp("values")
    (directory / "a.zip").write_bytes(b"zip")
    return evaluate_source(directory, PROGRAM, preview=True)


def test_what_the_sdk_sends_is_decoded_to_secrets_unknowns_archives_and_integers(
    recording: Recording,
):
    sent = recording["group"].inputs
    assert sent["name"] == Secret("hidden")
    assert sent["retentionInDays"] == 7
    assert type(sent["retentionInDays"]) is int
    assert sent["skipDestroy"] is True
    assert recording["layer"].inputs["code"].path == "a.zip"
    assert isinstance(recording["layer"].inputs["code"], Archive)


def test_a_secret_keeps_its_key_in_a_map_and_an_output_of_such_a_map_is_one_secret(
    recording: Recording,
):
    assert recording["group"].inputs["tags"] == {
        "plain": "a",
        "secret": Secret("hidden"),
        "later": UNKNOWN,
    }
    assert recording["other"].inputs["tags"] == Secret({"plain": "a", "secret": "hidden"})


def wire(value: Any) -> struct_pb2.Struct:
    return json_format.ParseDict({"property": value}, struct_pb2.Struct())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"value": 1, "secret": True}, Secret(1)),
        ({"value": 1}, 1),
        ({}, UNKNOWN),
        ({"secret": True, "dependencies": ["urn"]}, Secret(UNKNOWN)),
    ],
)
def test_output_values_are_decoded_to_their_content(value: dict[str, Any], expected: Any):
    assert values.decode(wire({rpc._special_sig_key: rpc._special_output_value_sig, **value})) == {
        "property": expected
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({rpc._special_sig_key: rpc._special_archive_sig, "assets": {}}, "FileArchive"),
        ({rpc._special_sig_key: rpc._special_asset_sig, "text": "x"}, "FileArchive"),
        ({rpc._special_sig_key: rpc._special_resource_sig, "urn": "u"}, rpc._special_resource_sig),
    ],
)
def test_unsupported_signatures_are_refused(value: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        values.decode(wire(value))


@pytest.mark.parametrize(
    "code", ['pulumi.AssetArchive({"a": pulumi.StringAsset("x")})', 'pulumi.StringAsset("x")']
)
def test_an_archive_that_is_not_a_zip_file_is_refused(tmp_path: Path, code: str):
    source = (
        "import pulumi\nimport pulumi_aws as aws\n"
        f'aws.lambda_.LayerVersion("layer", layer_name="l", code={code})\n'
    )
    with pytest.raises(ValueError, match=r"only pulumi\.FileArchive"):
        evaluate_source(tmp_path, source)


def test_a_number_beyond_double_precision_is_rounded_by_the_wire():
    assert values.decode(values.encode({"n": 2**53 + 1})) == {"n": 2**53}
    assert values.decode(values.encode({"n": 0.25})) == {"n": 0.25}


def test_the_sdk_decodes_what_is_encoded():
    read = rpc.deserialize_properties(
        values.encode({"secret": Secret("x"), "list": [1, {"a": True}], "zip": Archive("a.zip")})
    )
    assert rpc.is_rpc_secret(read["secret"])
    assert rpc.unwrap_rpc_secret(read["secret"]) == "x"
    assert read["list"] == [1, {"a": True}]
    assert isinstance(read["zip"], pulumi.FileArchive)
