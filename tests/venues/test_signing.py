"""Signed requests: nonces that rise under any concurrency, and nothing that counts twice or was touched."""

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.venues.signing import BadRequest, Nonces, RequestRefusal, Verifier, signed

KEY = b"k" * 32


def refusal(verifier, request):
    with pytest.raises(BadRequest) as caught:
        verifier.body(request)
    return caught.value.refusal


def test_a_request_counts_once():
    verifier = Verifier(KEY)
    request = signed(KEY, 7, b'{"a": 1}')

    assert verifier.body(request) == b'{"a": 1}'
    assert refusal(verifier, request) is RequestRefusal.REPLAYED
    assert refusal(verifier, signed(KEY, 6, b"earlier")) is RequestRefusal.REPLAYED
    assert verifier.body(signed(KEY, 8, b"")) == b""


@given(st.integers(0, 200), st.integers(0, 7))
def test_any_flipped_bit_is_refused(at, bit):
    request = bytearray(signed(KEY, 1_234_567, b'{"order": "a", "lots": 10}'))
    request[at % len(request)] ^= 1 << bit

    assert refusal(Verifier(KEY), bytes(request)) in (RequestRefusal.BAD_SIGNATURE, RequestRefusal.MALFORMED)


def test_another_key_is_refused():
    assert refusal(Verifier(b"x" * 32), signed(KEY, 1, b"body")) is RequestRefusal.BAD_SIGNATURE


@pytest.mark.parametrize("request_", [b"", b"1", b"1 2 3", b"x " + b"0" * 64 + b" {}", b"1 " + b"0" * 64])
def test_what_is_no_signed_request_is_malformed(request_):
    assert refusal(Verifier(KEY), request_) is RequestRefusal.MALFORMED


@pytest.mark.parametrize("clock", [lambda: 5, lambda: 0], ids=["stands still", "ran back"])
def test_nonces_rise_strictly_under_concurrency_whatever_the_clock_does(clock):
    nonces, drawn = Nonces(clock), []

    def draw():
        drawn.append([nonces.next() for _ in range(2_000)])

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(a < b for own in drawn for a, b in itertools.pairwise(own))
    everything = [nonce for own in drawn for nonce in own]
    assert len(set(everything)) == len(everything) == 16_000
