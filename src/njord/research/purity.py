"""Is a strategy pure? Read its source: what asks the clock, rolls unseeded dice, or reaches outside is named by line.

A run is only repeatable where a strategy decides from its events and its seeded ``desk.rng``. This reads; the guard
around a run (``engine.guard``) catches what reading cannot see. Importing something impure is no fault; using it is.
"""

import ast
import enum
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from njord.engine.config import RunConfig

SOURCE_BYTES_MAX = 4 * 1024 * 1024


class Severity(enum.StrEnum):
    """An error makes results unrepeatable; a warning may."""

    ERROR = "error"
    WARNING = "warning"


class Impurity(msgspec.Struct, frozen=True):
    """One place where a strategy depends on more than its events."""

    file: str
    line: int
    strategy: str
    what: str
    why: str
    severity: Severity

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}: {self.why}"


class ImpureSource(ValueError):
    """A strategy's source is refused. The message names file, line and reason."""


_CLOCK = "reads the clock: use desk.time_ns, or the event's own time"
_DICE = "rolls dice without a seed: use desk.rng"
_NETWORK = "reaches for the network: a strategy gets its data as events"
_FILES = "reads or writes files: hand data over as a parameter"
_ENVIRONMENT = "reads the environment: hand settings over as parameters"
_PROCESS = "starts a process"
_WAITS = "waits: use desk.timer"

# Dotted names, as imported, and what is wrong with using them. A name ends in .* where everything below it is meant
_BANNED: dict[str, str] = {
    **dict.fromkeys(
        (
            "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter",
            "time.perf_counter_ns", "time.process_time", "time.process_time_ns", "time.thread_time",
            "time.localtime", "time.gmtime", "time.ctime", "time.asctime", "datetime.datetime.now",
            "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
            "pandas.Timestamp.now", "pandas.Timestamp.utcnow", "pandas.Timestamp.today",
        ),
        _CLOCK,
    ),
    "time.sleep": _WAITS,
    **dict.fromkeys(
        (
            "uuid.uuid1", "uuid.uuid4", "secrets.*", "os.urandom", "random.SystemRandom",
        ),
        _DICE,
    ),
    **dict.fromkeys(
        (
            "socket.*", "requests.*", "urllib.request.*", "urllib3.*", "http.client.*", "httpx.*", "aiohttp.*",
            "ssl.*", "websocket.*", "websockets.*", "ccxt.*", "yfinance.*", "ftplib.*", "smtplib.*",
        ),
        _NETWORK,
    ),
    **dict.fromkeys(
        (
            "os.environ", "os.environ.*", "os.getenv", "os.getpid", "os.uname", "os.cpu_count", "platform.*",
            "sys.argv", "getpass.*", "locale.*",
        ),
        _ENVIRONMENT,
    ),
    **dict.fromkeys(
        (
            "open", "io.open", "os.open", "os.listdir", "os.scandir", "os.walk", "os.stat", "os.path.exists",
            "os.path.getmtime", "pathlib.Path", "pathlib.Path.*", "glob.*", "shutil.*", "tempfile.*",
            "sqlite3.*", "pickle.load", "json.load", "numpy.load", "numpy.loadtxt", "numpy.genfromtxt",
            "numpy.fromfile", "numpy.memmap", "joblib.load", "pandas.read_csv", "pandas.read_parquet",
            "pandas.read_feather", "pandas.read_pickle", "pandas.read_json", "pandas.read_excel",
            "pandas.read_hdf", "pandas.read_sql", "pandas.read_html", "pyarrow.parquet.read_table",
            "polars.read_csv", "polars.read_parquet", "polars.scan_parquet",
        ),
        _FILES,
    ),
    **dict.fromkeys(
        (
            "subprocess.*", "os.system", "os.popen", "os.fork", "multiprocessing.*",
        ),
        _PROCESS,
    ),
}  # fmt: skip
# Harmless, or harmless with arguments
_SEEDED = frozenset(
    {
        "random.Random", "numpy.random.default_rng", "numpy.random.RandomState", "numpy.random.PCG64",
        "numpy.random.Philox", "numpy.random.SFC64", "numpy.random.MT19937", "numpy.random.SeedSequence",
    }
)  # fmt: skip
_HARMLESS = frozenset({"numpy.random.Generator", "numpy.random.BitGenerator"})
_GIVEN_A_MOMENT = frozenset({"time.localtime", "time.gmtime", "time.ctime", "time.asctime"})


def purity(path: Path) -> list[Impurity]:
    """Return what in a strategy's file is not pure, by line. Raises ImpureSource where it cannot be read or parsed."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ImpureSource(f"strategy file {path}: {error.strerror}") from None
    if len(source) > SOURCE_BYTES_MAX:
        raise ImpureSource(f"strategy file {path}: more than {SOURCE_BYTES_MAX} bytes")
    return purity_of(source.decode(errors="replace"), str(path))


def purity_of(source: str, file: str) -> list[Impurity]:
    """Return what in a source text is not pure, by line."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise ImpureSource(f"strategy file {file}: line {getattr(error, 'lineno', 0)}: {error}") from None
    reader = _Reader(file)
    reader.visit(tree)
    return sorted(reader.found, key=lambda each: (each.line, each.what))


def vet(config: RunConfig, here: Path | None) -> list[str]:
    """Read each strategy a config takes from a file. Return the warnings; raise ImpureSource on the first error.

    A file that is not there is left to whoever loads it.
    """
    warnings: list[str] = []
    for spec in config.strategies:
        if spec.file is None:
            continue
        path = Path(spec.file).expanduser()
        path = path if here is None or path.is_absolute() else here / path
        if path.is_file():
            found = purity(path)
            refuse(found)
            warnings += [f"strategy file {each}" for each in found]
    return warnings


def refuse(found: Iterable[Impurity]) -> None:
    """Raise ImpureSource naming the first error, if there is one."""
    for each in found:
        if each.severity is Severity.ERROR:
            raise ImpureSource(f"strategy file {each}")


class _Reader(ast.NodeVisitor):
    """Follows imported names to what they are, and keeps what is not pure."""

    def __init__(self, file: str) -> None:
        self.found: list[Impurity] = []
        self._file = file
        self._strategy = Path(file).stem
        self._names: dict[str, str] = {}  # As written in the file -> dotted name
        self._sets: set[str] = set()
        self._assigned: set[str] = set()

    def visit_Module(self, node: ast.Module) -> None:
        # Names first: a function may be written above the import or set it uses
        for part in ast.walk(node):
            if isinstance(part, ast.Import):
                for each in part.names:
                    head = each.name.partition(".")[0]
                    self._names[each.asname or head] = each.name if each.asname else head
            elif isinstance(part, ast.ImportFrom) and part.module and not part.level:
                for each in part.names:
                    self._names[each.asname or each.name] = f"{part.module}.{each.name}"
            elif isinstance(part, ast.Assign | ast.AnnAssign) and part.value is not None and self._is_set(part.value):
                targets = part.targets if isinstance(part, ast.Assign) else [part.target]
                self._sets |= {ast.unparse(each) for each in targets}
            if isinstance(part, ast.FunctionDef):
                self._assigned.add(part.name)
            elif isinstance(part, ast.arg):
                self._assigned.add(part.arg)
            elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                self._assigned.add(part.id)  # open = bars["open"]
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        before, self._strategy = self._strategy, node.name
        self.generic_visit(node)
        self._strategy = before

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self._dotted(node)
        if name is not None:
            self._use(node, name, None)
        else:
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        name = self._dotted(node)
        if name is not None and isinstance(node.ctx, ast.Load):
            self._use(node, name, None)

    def visit_Call(self, node: ast.Call) -> None:
        name = self._dotted(node.func)
        if name is not None:
            self._use(node, name, node)
            if name in ("list", "tuple", "enumerate", "iter", "next", "sum", "dict.fromkeys") and node.args:
                self._iterated(node.args[-1] if name == "next" else node.args[0])
        else:
            self.visit(node.func)
        for part in (*node.args, *(each.value for each in node.keywords)):
            self.visit(part)

    def visit_For(self, node: ast.For) -> None:
        self._iterated(node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._iterated(node.iter)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            self._import(node, each.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module and not node.level:
            self._import(node, node.module)

    def _import(self, node: ast.stmt, module: str) -> None:
        # There is no honest use of these: nobody imports requests to not use it
        why = _BANNED.get(f"{module}.*")
        if why in (_NETWORK, _PROCESS):
            self._add(node, f"import {module}", why)

    def _use(self, node: ast.expr, name: str, call: ast.Call | None) -> None:
        for why in _reasons(name, call):
            self._add(node, f"{name}()" if call is not None else name, why)
        if call is not None and name in ("hash", "id"):
            why = "differs between processes: do not decide by it"
            self._add(node, f"{name}()", why, Severity.WARNING)
        if call is not None and name in ("__import__", "importlib.import_module", "eval", "exec", "compile"):
            self._add(node, f"{name}()", "hides from this check what it runs", Severity.WARNING)

    def _iterated(self, node: ast.expr) -> None:
        if self._is_set(node) or ast.unparse(node) in self._sets:
            what = f"iteration over the set {ast.unparse(node)[:40]}"
            why = "its order differs between processes: use sorted(...), or a dict or list"
            self._add(node, what, why, Severity.WARNING)

    def _is_set(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call):
            return self._dotted(node.func) in ("set", "frozenset")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor):
            return any(self._is_set(side) or ast.unparse(side) in self._sets for side in (node.left, node.right))
        return isinstance(node, ast.Set | ast.SetComp)

    def _dotted(self, node: ast.expr) -> str | None:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        head = self._names.get(node.id)
        if head is None:
            # Not imported: a builtin, unless it is a name of the file's own or has attributes
            if parts[:1] != ["fromkeys"] and (parts or node.id in self._assigned):
                return None
            head = node.id
        return ".".join([head, *reversed(parts)])

    def _add(self, node: ast.expr | ast.stmt, what: str, why: str, severity: Severity = Severity.ERROR) -> None:
        found = Impurity(self._file, node.lineno, self._strategy, what, why, severity)
        if found not in self.found:
            self.found.append(found)


def _reasons(name: str, call: ast.Call | None) -> Iterator[str]:
    if name in _SEEDED:
        none = call is not None and len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and not call.keywords
        empty = call is not None and not call.args and not call.keywords
        if empty or (none and call is not None and getattr(call.args[0], "value", 0) is None):
            yield _DICE
        return
    if (name in _GIVEN_A_MOMENT and call is not None and call.args) or (name == "pathlib.Path" and call is None):
        return
    if name in ("datetime.datetime.now", "datetime.datetime.today") or name in _BANNED:
        yield _BANNED[name]
        return
    if name in ("pandas.Timestamp", "pandas.to_datetime", "numpy.datetime64") and call is not None and call.args:
        word = call.args[0]
        if isinstance(word, ast.Constant) and word.value in ("now", "today"):
            yield _CLOCK
        return
    parts = name.split(".")
    if (parts[0] == "random" and len(parts) > 1) or (parts[:2] == ["numpy", "random"] and len(parts) == 3):
        if name not in _HARMLESS:
            yield _DICE
        return
    for count in range(1, len(parts)):
        why = _BANNED.get(".".join([*parts[:count], "*"]))
        if why is not None:
            yield why
            return
