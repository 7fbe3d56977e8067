"""The desk from another process: its services asked through the bus, by name, with their own types.

The platform acknowledges a question before it acts on it, so nothing is done twice however either side dies; who gets
no answer does not know what became of it, and asks again: an order has a key, by which the same one twice is one order.
A question that is older than QUESTION_S_MAX when it is read is not acted on. Questions are answered by a few threads;
where more are waiting than WAITING_MAX, the answer is that the platform is busy. Where both sides have a cache, answers
that may be a moment old are looked for there first (``ops.desk.hot``).
"""

import concurrent.futures
import contextlib
import inspect
import itertools
import logging
import threading
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec

from njord.bus.asking import Answered, Asked, Failing
from njord.bus.codec import Envelope
from njord.bus.following import WAIT_S, Standing, follow
from njord.bus.port import Bus, BusUnavailable
from njord.bus.topics import ANSWER, ASK
from njord.domain.clock import NS_PER_S
from njord.ops.control import NotGranted
from njord.ops.desk.hot import Cache, Keeping, changes, is_hot, question_of, scope_of
from njord.ops.desk.values import BadRequest, NotFound
from njord.ops.platform import Busy, Stopped

QUESTION_S_MAX = 10.0
ANSWER_S_MAX = 120.0
CLOSE_S_MAX = 5.0  # More than a call of the bus may take
THREADS = 8
WAITING_MAX = 500
GROUP = "platform"

_LOG = logging.getLogger("njord.desk")

T = TypeVar("T")


class Method:
    """One method that can be asked for: how what it is given, and what it gives, travels."""

    def __init__(self, kind: type, name: str) -> None:
        function = getattr(kind, name)
        hints = typing.get_type_hints(function)
        self._result = hints.pop("return")
        signature = inspect.signature(function)
        self._names = [each for each in signature.parameters if each != "self"]
        fields = [
            (each, hints[each]) if (default := signature.parameters[each].default) is inspect.Parameter.empty
            else (each, hints[each], default)
            for each in self._names
        ]  # fmt: skip
        self._given = msgspec.defstruct(f"{kind.__name__}_{name}", fields, kw_only=True, forbid_unknown_fields=True)

    def pack(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """Return what a call is given as bytes."""
        return msgspec.json.encode(self._given(**dict(zip(self._names, args, strict=False)), **kwargs))

    def given(self, payload: bytes) -> dict[str, Any]:
        """Return what a call is given, by name. Raises msgspec.ValidationError."""
        given = msgspec.json.decode(payload, type=self._given)
        return {each: getattr(given, each) for each in self._names}

    def account_of(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        """Return which account a call is about, None for the market."""
        found = {**dict(zip(self._names, args, strict=False)), **kwargs}.get("account_id")
        return None if found is None else str(found)

    def unpack(self, payload: bytes) -> Any:
        """Return a result. Raises msgspec.DecodeError for what is none."""
        return msgspec.json.decode(payload, type=self._result)


class Answerer:
    """The platform's side: answers what gateways ask."""

    def __init__(
        self, bus: Bus, services: Mapping[str, tuple[Any, type, tuple[str, ...]]], wall_ns: Callable[[], int],
        keeping: Keeping | None = None,
    ) -> None:  # fmt: skip
        """``services`` are, by name, a service, its class and what may be asked of it. Raises BusUnavailable."""
        self._bus, self._wall_ns = bus, wall_ns
        self._keeping = keeping
        self._services = {name: service for name, (service, _, _) in services.items()}
        self._methods = {
            (name, method): Method(kind, method) for name, (_, kind, methods) in services.items() for method in methods
        }
        bus.join(ASK, GROUP, GROUP, from_start=False)  # From now on nothing that is asked is missed
        self._waiting = threading.Semaphore(WAITING_MAX)
        self._pool = concurrent.futures.ThreadPoolExecutor(THREADS, thread_name_prefix="answering")
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="asked", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nothing more."""
        self._ending.set()
        self._thread.join(CLOSE_S_MAX)
        self._pool.shutdown(cancel_futures=True)  # Who is answering still needs the bus, which is closed next

    def _run(self) -> None:
        follow(self._bus, ASK, GROUP, self._take_all, self._ending, Standing(), once=True)

    def _take_all(self, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            self._take(envelope)

    def _take(self, envelope: Envelope) -> None:
        asked = envelope.body
        if not isinstance(asked, Asked) or self._wall_ns() - asked.asked_ns > QUESTION_S_MAX * NS_PER_S:
            return
        if not self._waiting.acquire(blocking=False):
            self._say(asked, Answered(asked.question, b"", Failing.BUSY, "", f"{WAITING_MAX} questions are waiting"))
            return
        self._pool.submit(self._answer, asked)

    def _answer(self, asked: Asked) -> None:
        try:
            self._say(asked, self._answered(asked))
        finally:
            self._waiting.release()

    def _answered(self, asked: Asked) -> Answered:
        method = self._methods.get((asked.service, asked.method))
        if method is None:
            return Answered(asked.question, b"", Failing.NOT_FOUND, "", f"no {asked.service}.{asked.method}")
        try:
            return Answered(asked.question, self._result(method, asked))
        except BadRequest as error:
            return Answered(asked.question, b"", Failing.BAD_REQUEST, error.field, str(error).partition(": ")[2])
        except msgspec.ValidationError as error:
            return Answered(asked.question, b"", Failing.BAD_REQUEST, asked.method, str(error))
        except NotFound as error:
            return Answered(asked.question, b"", Failing.NOT_FOUND, "", str(error))
        except NotGranted as error:
            return Answered(asked.question, b"", Failing.NOT_GRANTED, "", str(error))
        except Busy as error:
            return Answered(asked.question, b"", Failing.BUSY, "", str(error))
        except Stopped as error:
            return Answered(asked.question, b"", Failing.STOPPED, "", str(error))
        except Exception as error:  # noqa: BLE001 - a defect: its trace belongs here, its name to whoever asked
            what = f"{asked.service}.{asked.method}"
            _LOG.error("%s failed", what, exc_info=error, extra={"event": "desk.failed", "context": {"asked": what}})
            return Answered(asked.question, b"", Failing.FAILED, "", type(error).__name__)

    def _result(self, method: Method, asked: Asked) -> bytes:
        act, given = getattr(self._services[asked.service], asked.method), method.given(asked.payload)
        if self._keeping is None:
            return msgspec.json.encode(act(**given))
        scope = scope_of(given.get("account_id"))
        self._keeping.catch_up(scope)
        if is_hot(asked.service, asked.method):
            question = question_of(asked.service, asked.method, asked.payload)
            return self._keeping.answered(scope, question, lambda: msgspec.json.encode(act(**given)))
        changing = changes(asked.service, asked.method)
        try:
            return msgspec.json.encode(act(**given))
        except NotFound:
            changing = False  # There was nothing to change
            raise
        finally:
            if changing:
                self._keeping.changed(scope)

    def _say(self, asked: Asked, answered: Answered) -> None:
        try:
            self._bus.publish(f"{ANSWER}.{asked.gateway}", answered)
        except BusUnavailable as error:
            what = f"{asked.service}.{asked.method}"
            _LOG.warning("no answer to %s: %s", what, error, extra={"event": "desk.unanswered", "context": {}})


class Asker:
    """A gateway's side. ``gateway`` is a name no other gateway has; ``alive`` says whether the platform is there."""

    def __init__(
        self, bus: Bus, gateway: str, wall_ns: Callable[[], int], alive: Callable[[], bool], cache: Cache | None = None
    ) -> None:
        """Raises BusUnavailable."""
        self._bus, self._gateway, self._wall_ns, self._alive = bus, gateway, wall_ns, alive
        self._cache = cache
        self._count, self._began_ns = itertools.count(1), wall_ns()
        self._open: dict[str, concurrent.futures.Future[Answered]] = {}
        self._group = f"gateway-{gateway}"
        bus.join(ANSWER, self._group, self._group, from_start=False)  # No answer is missed from now on
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask nothing more."""
        self._ending.set()
        self.give_up("this gateway ends; what was asked may have been done, or not")
        self._thread.join(CLOSE_S_MAX)

    def give_up(self, why: str) -> None:
        """Wait no longer for what was asked: it will not be answered."""
        for question, future in list(self._open.items()):
            _settle(future, Answered(question, b"", Failing.STOPPED, "", why))

    def service(self, name: str, kind: type[T], methods: tuple[str, ...]) -> T:
        """Return a service of the platform as if it were here: those of its methods that may be asked for."""
        return cast(T, _Service(self, name, kind, methods))

    def kept(self, service: str, method: str, payload: bytes, account_id: str | None) -> bytes | None:
        """Return an answer of a moment ago, if there is one."""
        if self._cache is None or not is_hot(service, method) or not self._alive():
            return None
        return self._cache.get(scope_of(account_id), question_of(service, method, payload))

    def ask(self, service: str, method: str, payload: bytes) -> bytes:
        """Ask and wait for the answer. Raises what the service raises, Busy, or Stopped where the platform is gone."""
        question = f"{self._began_ns}-{next(self._count)}"
        future: concurrent.futures.Future[Answered] = concurrent.futures.Future()
        self._open[question] = future
        try:
            asked = Asked(question, self._gateway, service, method, payload, self._wall_ns())
            self._bus.publish(f"{ASK}.{service}", asked)
            return _result(self._wait(future))
        except BusUnavailable as error:
            raise Stopped(f"the bus does not answer: {error}") from None
        finally:
            del self._open[question]

    def _wait(self, future: concurrent.futures.Future[Answered]) -> Answered:
        for _ in range(int(ANSWER_S_MAX / WAIT_S)):
            try:
                return future.result(WAIT_S)
            except concurrent.futures.TimeoutError:
                if not self._alive():
                    raise Stopped("the market does not answer; what was asked may have been done, or not") from None
        raise Busy(f"no answer within {ANSWER_S_MAX:.0f} s; what was asked may have been done, or not")

    def _run(self) -> None:
        follow(self._bus, ANSWER, self._group, self._take_all, self._ending, Standing(), once=True)

    def _take_all(self, envelopes: Sequence[Envelope]) -> None:
        mine = f"{ANSWER}.{self._gateway}"
        for envelope in envelopes:
            answered = envelope.body
            if envelope.topic == mine and isinstance(answered, Answered):
                future = self._open.get(answered.question)
                if future is not None:
                    _settle(future, answered)


class _Service:
    def __init__(self, asker: Asker, name: str, kind: type, methods: tuple[str, ...]) -> None:
        for method in methods:
            setattr(self, method, _asking(asker, name, method, Method(kind, method)))


def _asking(asker: Asker, service: str, name: str, method: Method) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        payload = method.pack(args, kwargs)
        kept = asker.kept(service, name, payload, method.account_of(args, kwargs))
        if kept is not None:
            with contextlib.suppress(msgspec.DecodeError):  # It is none of ours
                return method.unpack(kept)
        return method.unpack(asker.ask(service, name, payload))

    return call


def _settle(future: concurrent.futures.Future[Answered], answered: Answered) -> None:
    # The first word counts: an answer, or that there will be none
    with contextlib.suppress(concurrent.futures.InvalidStateError):
        future.set_result(answered)


def _result(answered: Answered) -> bytes:
    if answered.failing is None:
        return answered.payload
    if answered.failing is Failing.BAD_REQUEST:
        raise BadRequest(answered.field, answered.what)
    if answered.failing is Failing.NOT_FOUND:
        raise NotFound(answered.what)
    if answered.failing is Failing.NOT_GRANTED:
        raise NotGranted(answered.what)
    if answered.failing is Failing.BUSY:
        raise Busy(answered.what)
    if answered.failing is Failing.STOPPED:
        raise Stopped(answered.what)
    raise RuntimeError(f"the platform failed at it: {answered.what}")
