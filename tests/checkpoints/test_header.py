"""Headers that are damaged or hostile: the tensors or a CheckpointError, and never anything else."""

import json
import os
import random
import resource
import struct
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open

from hma.checkpoints.header import read_header, read_json
from hma.errors import CheckpointError

ENTRY = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def packed(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def written(tmp_path, content):
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    return file


def refused(tmp_path, content, said):
    with pytest.raises(CheckpointError, match=said) as caught:
        read_header(written(tmp_path, content))
    assert "not a whole safetensors file" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_a_header_is_its_tensors(tmp_path):
    header = {"__metadata__": {"format": "pt"}, "b": {"dtype": "BF16", "shape": [], "data_offsets": [24, 26]}, "a": ENTRY}
    tensors = read_header(written(tmp_path, packed(header, bytes(26))))
    begin = 8 + len(json.dumps(header))
    assert {n: (t.dtype, t.shape, t.start - begin, t.end - begin) for n, t in tensors.items()} == {
        "a": ("F32", (2, 3), 0, 24),
        "b": ("BF16", (), 24, 26),
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dtype": "F33"}, "unknown dtype 'F33'"),
        ({"dtype": ["F32"]}, "unknown dtype"),
        ({"shape": [2, -3]}, r"shape \[2, -3\], expected sizes from 0 on"),
        ({"shape": [2, 10**30]}, "expected sizes from 0 on"),
        ({"shape": [2**62, 2**62, 2**62]}, "24 bytes, which is not what"),
        ({"shape": [2, True]}, "expected sizes"),
        ({"shape": 6}, "expected sizes"),
        ({"shape": [2, 4]}, r"24 bytes, which is not what \(2, 4\) of F32 takes"),
        ({"dtype": "F16"}, r"24 bytes, which is not what \(2, 3\) of F16 takes"),
        ({"data_offsets": [0, 25]}, r"bytes 0\.\.25 of 24"),
        ({"data_offsets": [24, 0]}, r"bytes 24\.\.0"),
        ({"data_offsets": [-24, 0]}, "expected a start and an end"),
        ({"data_offsets": [0.0, 24.0]}, "expected a start and an end"),
        ({"data_offsets": [0]}, "expected a start and an end"),
        ({"data_offsets": float("nan")}, "expected a start and an end"),
    ],
)
def test_an_entry_that_cannot_be_is_named_with_its_value(change, said, tmp_path):
    refused(tmp_path, packed({"a": {**ENTRY, **change}}, bytes(24)), said)


def test_tensors_fill_the_file_without_overlap_or_gap(tmp_path):
    def two(start, end, size=48):
        return packed({"a": ENTRY, "b": {**ENTRY, "data_offsets": [start, end]}}, bytes(size))

    assert len(read_header(written(tmp_path, two(24, 48)))) == 2
    refused(tmp_path, two(0, 24), "b overlaps a")
    refused(tmp_path, two(12, 36), "b overlaps a")
    refused(tmp_path, two(28, 52, 52), "b leaves a gap after a")
    refused(tmp_path, two(24, 48, 60), "12 bytes follow b and belong to no tensor")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "shorter than 8 bytes"),
        (b"\0" * 7, "shorter than 8 bytes"),
        (struct.pack("<Q", 0), "expected an object"),
        (struct.pack("<Q", 2**64 - 1) + b"{}", "claims 18446744073709551615 bytes in a file of 10"),
        (packed(b"[]"), "expected an object"),
        (packed(b"{"), "Expecting property name"),
        (packed(b'{"a": 5}'), "a is 5, expected its dtype"),
        (packed(b'{"a": {}}'), "a is {}, expected its dtype"),
        (packed(b'{"a\xff": 5}'), "can't decode byte 0xff"),
        (packed('{"a": 5}'.encode("utf-16")), "expected an object"),
        (packed(b'{"\\ud800": {}}'), "surrogates not allowed"),
        (packed(b'{"\\u001b[2J": {}}'), r"\\x1b\[2J' is {}"),
        (packed(b'{"a": {}, "a": {}}'), "a is there twice"),
        (packed(b'{"a": {"dtype": "F32", "dtype": "F16"}}'), "dtype is there twice"),
        (packed(b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "nested too deep"),
        (packed(b'{"a": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}"), "more than 64 levels"),
        (packed(b'{"__metadata__": [1]}'), "not an object of strings"),
        (packed(b'{"a": ' + b"1" * 5000 + b"}"), "5000 digits"),
        (packed({"n" * 10_000: 5}), "n…"),
    ],
)
def test_what_is_no_header_is_refused(content, said, tmp_path):
    refused(tmp_path, content, said)


def test_a_header_that_is_claimed_to_be_huge_is_not_read(tmp_path):
    """A sparse file of a terabyte: what the header claims fits into it, and would fill the memory."""
    file = written(tmp_path, struct.pack("<Q", 10**11) + b"{")
    os.truncate(file, 10**12)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="claims 100000000000 bytes"):
        read_header(file)
    file.write_bytes(struct.pack("<Q", 10**8))
    os.truncate(file, 10**12)
    with pytest.raises(CheckpointError, match="expected an object"):
        read_header(file)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_what_is_no_ordinary_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", tmp_path, tmp_path / "nowhere"):
        with pytest.raises(CheckpointError, match="not a whole safetensors file"):
            read_header(file)
        with pytest.raises(CheckpointError):
            read_json(file)


@pytest.fixture(scope="module")
def whole():
    """A file of nine small tensors, one of them empty."""
    header, place = {"__metadata__": {"format": "pt"}}, 0
    for number, (dtype, size) in enumerate([("F32", 4), ("BF16", 2), ("I64", 8)] * 3):
        shape = [number % 3 + 1, 2] if number else [0, 2]
        end = place + shape[0] * shape[1] * size
        header[f"model.layers.{number}.weight"] = {"dtype": dtype, "shape": shape, "data_offsets": [place, end]}
        place = end
    return packed(header, bytes(place))


def test_a_thousand_damaged_headers_give_tensors_or_a_checkpoint_error(whole, tmp_path):
    """What is accepted, safetensors itself opens, with the same names."""
    draw = random.Random(20)
    before, accepted = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    file = tmp_path / "model.safetensors"
    for _ in range(1000):
        file.write_bytes(damaged(whole, draw))
        try:
            tensors = read_header(file)
        except CheckpointError as error:
            assert str(file) in str(error)
            continue
        accepted += 1
        with safe_open(file, framework="numpy") as opened:
            assert set(opened.keys()) == tensors.keys()
    assert 0 < accepted < 500
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def damaged(whole, draw):
    """The file cut short, or with bytes changed, taken out, doubled, or replaced by others of its own alphabet."""
    data = bytearray(whole)
    if draw.random() < 0.2:
        return bytes(data[: draw.randrange(len(data))])
    for _ in range(draw.choice([1, 1, 2, 5, 20])):
        place = draw.randrange(len(whole) // 2 if draw.random() < 0.9 else 8)
        kind = draw.randrange(4)
        if kind == 0:
            data[place] = draw.randrange(256)
        elif kind == 1:
            del data[place : place + draw.randrange(1, 8)]
        elif kind == 2:
            data[place:place] = data[place : place + draw.randrange(1, 40)]
        else:
            data[place : place + 1] = draw.choice([b"0", b"9" * 20, b"-1", b"{", b"[", b'"', b"null", b"1e9", b"NaN", b"\\u0000"])
    return bytes(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "BF16", "F4", "I64", "X"]) | JSON,
        "shape": st.lists(st.integers(-1, 4) | st.integers(), max_size=4) | JSON,
        "data_offsets": st.lists(st.integers(-1, 64) | st.integers(), max_size=3) | JSON,
    },
)
HEADERS = st.dictionaries(st.text(max_size=8), ENTRIES | JSON, max_size=4) | st.binary(max_size=60) | JSON


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=HEADERS, size=st.integers(0, 64))
def test_any_json_gives_tensors_or_a_checkpoint_error(header, size, tmp_path):
    file = written(tmp_path, packed(header, bytes(size)))
    try:
        tensors = read_header(file)
    except CheckpointError:
        return
    assert sum(t.end - t.start for t in tensors.values()) == size


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=100))
def test_any_bytes_give_tensors_or_a_checkpoint_error(content, tmp_path):
    for read in (read_header, read_json):
        try:
            read(written(tmp_path, content))
        except CheckpointError:
            continue


def test_safetensors_knows_the_dtypes_that_are_read(tmp_path):
    from hma.checkpoints.header import BITS

    for dtype, bits in BITS.items():
        file = written(tmp_path, packed({"a": {"dtype": dtype, "shape": [8], "data_offsets": [0, bits]}}, bytes(bits)))
        assert read_header(file)["a"].dtype == dtype
        try:
            with safe_open(file, framework="numpy") as opened:
                assert list(opened.keys()) == ["a"]
        except SafetensorError as error:
            raise AssertionError(dtype) from error
