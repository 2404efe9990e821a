"""Prompt templates: Jinja2 in a sandbox, where what is undefined, unsafe or without end is an error with its line."""

from collections.abc import Callable, Mapping, Set
from functools import lru_cache
from typing import Any, TypeVar

import jinja2
from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateSyntaxError, UndefinedError
from jinja2.runtime import Context, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from evalkit.template_bounds import (
    MAX_CHARACTERS,
    NoEndError,
    bounded_filters,
    bounded_format,
    check_method,
    check_operator,
    is_join,
)
from evalkit.template_print import UnprintableError, check_each, check_values, printable, printing_filters

MAX_STEPS = 100_000
"""Turns of loops, calls of macros and numbers of ranges in one prompt; a real one has some hundreds."""

_FILE = "<prompt template>"
_OFFERED = "offered are item (id, input, tags, and difficulty if it is stated), documents, and vars if the item has any"
_Loop = TypeVar("_Loop", nodes.For, nodes.Macro, nodes.CallBlock)


class TemplateError(ValueError):
    """A template that gives no prompt: `line` counts from 1 within its text."""

    def __init__(self, line: int, what: str, remedy: str) -> None:
        self.line, self.what, self.remedy = line, " ".join(what.split()), remedy
        super().__init__(f"{self.what}; {remedy}")


class _Counting(Context):
    """The variables of one prompt, and how many steps making it has taken."""

    steps = 0

    def step(self, count: int = 1) -> None:
        self.steps += count
        if self.steps > MAX_STEPS:
            raise NoEndError(f"more than {MAX_STEPS:,} steps")


@pass_context
def _counted_range(context: Context, *limits: int) -> range:
    numbers = range(*limits)
    assert isinstance(context, _Counting), "the environment makes no other"  # noqa: S101
    context.step(len(numbers))
    return numbers


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, with bounds on time and size, and nothing that differs from one call to the next."""

    context_class = _Counting
    intercepted_binops = frozenset(["+", "-", "*", "**", "%"])

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, finalize=printable)
        self.globals["range"] = _counted_range
        for name in ("lipsum", "cycler"):  # chance, and a state that outlives a loop
            del self.globals[name]
        del self.filters["random"]
        self.filters = printing_filters(bounded_filters(self.filters))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`vars.items` is the item's variable of that name, not a method of dictionaries."""
        return obj[attribute] if isinstance(obj, dict) and attribute in obj else super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        check_operator(operator, left, right)
        if operator == "%" and isinstance(left, str):
            check_values(left, right)
        if operator == "-" and (isinstance(left, Set) or isinstance(right, Set)):
            without = set(right)
            return {one: None for one in left if one not in without}.keys()  # a set's order is another each time
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        if is_join(called) and args:
            args = (list(args[0]), *args[1:])
            check_each(args[0])
        check_method(called, args, kwargs)
        return super().call(context, called, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        return None if super().wrap_str_format(value) is None else bounded_format(self, value)

    def joined(self, *parts: Any) -> str:
        """What `~` does, within bounds."""
        text = "".join(str(printable(part)) for part in parts)
        if len(text) > MAX_CHARACTERS:
            raise NoEndError(f"a text of more than {MAX_CHARACTERS:,} characters")
        return text

    def step(self, context: _Counting) -> str:
        """One turn of a loop, or one call of a macro."""
        context.step()
        return ""


class _Bounded(NodeTransformer):
    """Puts a step into every loop and macro, and bounds what `~` makes."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        return self._with_step(node)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Macro:
        return self._with_step(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.CallBlock:
        return self._with_step(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:
        self.generic_visit(node)
        return _call("joined", list(node.nodes), node.lineno)

    def _with_step(self, node: _Loop) -> _Loop:
        self.generic_visit(node)
        step = _call("step", [nodes.ContextReference(lineno=node.lineno)], node.lineno)
        node.body.insert(0, nodes.ExprStmt(step, lineno=node.lineno))
        return node


def _call(method: str, arguments: list[nodes.Expr], line: int) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(method, lineno=line), arguments, [], None, None, lineno=line)


@lru_cache(maxsize=8)
def compiled(text: str) -> jinja2.Template:
    """A template ready to be filled in; TemplateError for one that is none, or that refers to another file."""
    environment = _Environment()
    try:
        tree = environment.parse(text)
        for kind in (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block):
            for node in tree.find_all(kind):
                what = f"the template uses {kind.__name__.lower()!r}, but stands alone"
                raise TemplateError(node.lineno, what, "put all of it into one text")
        code = environment.compile(_Bounded().visit(tree), filename=_FILE)
    except TemplateSyntaxError as error:
        raise TemplateError(error.lineno, f"not a template ({error.message})", "correct it") from error
    except RecursionError as error:
        raise TemplateError(1, "the template is nested too deeply to be read", "use fewer levels") from error
    return jinja2.Template.from_code(environment, code, environment.make_globals(None))


def render(text: str, variables: Mapping[str, Any]) -> str:
    """The template filled in; TemplateError if that is not possible, or leaves nothing to send."""
    template, pieces, length = compiled(text), [], 0
    try:
        for piece in template.generate(**variables):
            pieces.append(piece)
            length += len(piece)
            if length > MAX_CHARACTERS:
                raise NoEndError(f"a prompt of more than {MAX_CHARACTERS:,} characters")  # noqa: TRY301
    except Exception as error:  # whatever a user's template raises is the template's fault
        raise TemplateError(_line(error), *_told(error)) from error
    made = "".join(pieces)
    if not made.strip():
        raise TemplateError(1, "the template makes an empty prompt", "print {{ item.input }} in it")
    return made


def _line(error: Exception) -> int:
    """The template's innermost line on the way to an error."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == _FILE else line
        trace = trace.tb_next
    return line


def _told(error: Exception) -> tuple[str, str]:
    if isinstance(error, NoEndError | RecursionError):
        return f"the template has no end that can be waited for ({error})", "make its loops shorter"
    if isinstance(error, UnprintableError):
        return f"the template would print {error}", "say what to print in its place, or test for it"
    if isinstance(error, SecurityError):
        return f"the template reaches for what it may not ({error})", "let it read its variables only"
    if isinstance(error, UndefinedError):
        return f"the template cannot be filled in: {error}", _OFFERED
    return f"the template fails ({type(error).__name__}: {error})", "correct it"
