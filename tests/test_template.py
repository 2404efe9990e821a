"""Templates: what they offer is filled in, and whatever else they do is an error with its line."""

from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.template import TemplateError, render

VARIABLES: dict[str, Any] = {
    "item": {"id": "a", "input": "What is due?", "tags": ["fee", "late"], "difficulty": "hard"},
    "documents": (),
    "vars": {"items": "three", "nothing": None, "deep": {"price": 12.5}, "n": 3},
}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{ item.input }}", "What is due?"),
        ("{{ item.input }}\n", "What is due?"),
        ("{{ item['id'] }} {{ item.tags|join(', ') }} {{ item.difficulty }}", "a fee, late hard"),
        ("{{ vars.items }}, {{ vars.deep.price }}, {{ vars.n + 1 }}", "three, 12.5, 4"),
        ("{% for tag in item.tags %}{{ loop.index }}{{ tag }}{% endfor %}", "1fee2late"),
        ("{% macro twice(x) %}{{ x ~ '-' ~ x }}{% endmacro %}{{ twice(vars.n) }}", "3-3"),
        ("{% macro b() %}<{{ caller() }}>{% endmacro %}{% call b() %}{{ vars.n }}{% endcall %}", "<3>"),
        ("{{ vars.nothing or 'none' }}{% if vars.gone is defined %}!{% endif %}", "none"),
        ("{% for n in range(3) %}{{ n }}{% endfor %}{{ 2**10 }}{{ 'ab' * 2 }}", "0121024abab"),
        ("<b>{{ '<&>' }}</b>{% raw %}{{ x }}{% endraw %}", "<b><&></b>{{ x }}"),
        ("{{ vars.deep|tojson }} {{ '%.1f'|format(vars.deep.price) }}", '{"price": 12.5} 12.5'),
        ("{{ 'a'.ljust(3) }}{{ 'b'|center(3) }}{{ '7'.zfill(3) }}{{ 'c\n\nd'|indent(2) }}", "a   b 007c\n\n  d"),
        ("{{ '%5s|%-*d' % ('a', 4, 7) }}|{{ '{:>{w}}|{item[id]!r}'.format(1, w=3, item=item) }}", "    a|7   |  1|'a'"),
        ("{{ '%*d|%*d%%' % (2, 2000000000, 3, 1) }}", "2000000000|  1%"),
        ("{{ 'a-b'.replace('-', '+', 10**9) }}{{ 'a b'.split(' ', 10**9)|join }}", "a+bab"),
        ("{{ 'a-b'.find('b', 0, 10**9) }}{{ 'aab'.count('a', 0, 10**9) }}", "22"),
        ("{{ '{n:03}'.format_map(vars) }} {{ item.tags|tojson(indent=1) }}", '003 [\n "fee",\n "late"\n]'),
        (
            "{{ 'one two'|wordwrap(3) }} {{ 'x.org'|urlize }}",
            "one\ntwo x.org",
        ),
        (
            "{{ item.tags|map('upper')|join(', ') }} {{ [[1], [2]]|sum(start=[]) }} {{ [{'b': 1}]|map(attribute='b')|list }}",  # noqa: E501
            "FEE, LATE [1, 2] [1]",
        ),
        (
            "{{ ', '.join(item.tags|map('title')) }} {{ item.tags }} {{ none|default('x', true) }}",
            "Fee, Late ['fee', 'late'] x",
        ),
        ("{{ ({'b': 1, 'a': 2}.keys() - ['z'])|join }}{{ ([1].__len__ is defined) }}{{ 5 - 3 }}", "baFalse2"),
        ("{{ ({'b': 1, 'a': 2, 'z': 3}.keys() - (['z', 'a']|map('lower')) - ['c'])|list }}", "['b']"),
        ("{{ (['b', 'a', 'z'] - {'z': 1}.keys())|list }}", "['b', 'a']"),
        ("{% for pair in range(3)|batch(2, '-') %}{{ pair }}{% endfor %}", "[0, 1][2, '-']"),
    ],
)
def test_what_is_offered_is_filled_in(text: str, made: str) -> None:
    assert render(text, VARIABLES) == made


_DOUBLED = "{% set ns = namespace(a=[1]) %}{% for _ in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}"
_END, _REACH = "the template has no end that can be waited for", "the template reaches for what it may not"
_FILL, _PRINT = "the template cannot be filled in", "the template would print"
_LOOPS = "{% for a in range(9999) %}{% for b in range(9999) %}.{% endfor %}{% endfor %}"


@pytest.mark.long
@pytest.mark.parametrize(
    ("line", "text", "what"),
    [
        (2, "ok\n{{ itm.input }}", f"{_FILL}: 'itm' is undefined"),
        (3, "ok\n{% for t in item.tags %}\n{{ t.x }}{% endfor %}", f"{_FILL}: 'str object' has no attribute 'x'"),
        (1, "{{ item.reference }}", f"{_FILL}: 'dict object' has no attribute 'reference'"),
        (1, "{{ 'a' ~ vars.gone }}", f"{_FILL}: 'dict object' has no attribute 'gone'"),
        (2, "\n{{ vars.nothing }}", f"{_PRINT} a null"),
        (1, "{{ 'a' ~ vars.nothing }}", f"{_PRINT} a null"),
        (1, "{{ item.input.upper }}", f"{_PRINT} a function (upper)"),
        (1, "{{ [vars.gone] }}", f"{_FILL}: 'dict object' has no attribute 'gone'"),
        (1, "{{ {'a': [vars.gone]} }}", f"{_FILL}: 'dict object' has no attribute 'gone'"),
        (1, "{{ [{'b': 3}, {}]|map(attribute='b')|list }}", f"{_FILL}: 'dict object' has no attribute 'b'"),
        (1, "{{ [{'b': 3}, {}]|join(attribute='b') }}", f"{_FILL}: 'dict object' has no attribute 'b'"),
        (1, "{{ [{'b': 3}, {'b': none}]|join(',', 'b') }}", f"{_PRINT} a null"),
        (1, "{{ [[none]] }}", f"{_PRINT} a null"),
        (1, "{{ item.tags|map('upper') }}", f"{_PRINT} what is no text (generator: join it, or make it a list)"),
        (1, "{{ 'a' ~ item.tags|select }}", f"{_PRINT} what is no text (generator"),
        (1, "{{ item.tags|map('upper')|string }}", f"{_PRINT} what is no text (generator"),
        (1, "{{ [item.tags|reverse]|join }}", f"{_PRINT} what is no text (list_reverseiterator"),
        (1, "{{ '%s'|format(item.tags|reverse) }}", f"{_PRINT} what is no text (list_reverseiterator"),
        (1, "{{ ','.join([none]) }}", f"{_PRINT} a null"),
        (1, "{{ self }}", f"{_PRINT} what is no text (TemplateReference)"),
        (1, "{{ namespace(a=1) }}", f"{_PRINT} what is no text (Namespace)"),
        (1, "{{ item.items() }}", f"{_PRINT} what is no text (dict_items: join it, or make it a list)"),
        (1, "{{ 'a'.encode() }}", f"{_PRINT} what is no text (bytes"),
        (1, "{{ [vars.nothing]|join }}", f"{_PRINT} a null"),
        (1, "{{ '%s'|format(vars.nothing) }}", f"{_PRINT} a null"),
        (1, "{{ '%(a)s'|format(a=vars.nothing) }}", f"{_PRINT} a null"),
        (1, "{{ '%s' % vars.nothing }}", f"{_PRINT} a null"),
        (1, "{{ '{}'.format(vars.nothing) }}", f"{_PRINT} a null"),
        (1, "{{ vars.nothing|upper }}", f"{_PRINT} a null"),
        (1, "{{ vars.nothing|urlencode }}", f"{_PRINT} a null"),
        (1, "{{ {'a': item.input.upper}|xmlattr }}", f"{_PRINT} a function (upper)"),
        (1, "{{ item.input|replace('a', vars.nothing) }}", f"{_PRINT} a null"),
        (1, "{{ item.input|replace('a', vars.gone) }}", f"{_FILL}: 'dict object' has no attribute 'gone'"),
        (1, "{{ '{!r}'.format(vars.gone) }}", f"{_FILL}: 'dict object' has no attribute 'gone'"),
        (1, "{{ '{!s}'.format([vars.gone]) }}", f"{_FILL}: 'dict object' has no attribute 'gone'"),
        (1, "{{ '{!r}'.format(item.input.upper) }}", f"{_PRINT} a function (upper)"),
        (1, "{{ '%s' % {'a': [vars.gone]} }}", f"{_FILL}: 'dict object' has no attribute 'gone'"),
        (1, _DOUBLED + "{{ ns.a }}", f"{_PRINT} a list of more than 1,000,000 parts"),
        (1, _DOUBLED + "{{ ns.a|tojson }}", f"{_PRINT} a list of more than 1,000,000 parts"),
        (1, _DOUBLED + "{{ '%s' % (ns.a,) }}", f"{_PRINT} a list of more than 1,000,000 parts"),
        (1, "{{ ('%(a)s'*3000)|format(a='x'*1000000) }}", f"{_END} (a result of 'format' that is too large)"),
        (1, "{{ ('%s'*300) % (('x'*1000000,)*300) }}", f"{_END} (a result of '%' that is too large)"),
        (1, "{{ vars.nothing|string }}", f"{_PRINT} a null"),
        (2, "\n{{ item.input.__class__ }}", f"{_REACH} (access to attribute '__class__' of 'str' object is unsafe.)"),
        (1, "{{ '{0.__class__}'.format(item) }}", f"{_REACH} (access to attribute '__class__'"),
        (1, "{{ item.tags.append('x') }}", f"{_REACH} (access to attribute 'append' of 'list' object is unsafe.)"),
        (1, "{% set _ = item.update(id='b') %}", f"{_REACH} (access to attribute 'update'"),
        (2, "\n" + _LOOPS, f"{_END} (more than 100,000 steps)"),
        (1, "{{ range(10**9)|list }}", f"{_END} (more than 100,000 steps)"),
        (1, "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}", f"{_END} (maximum recursion depth exceeded"),
        (1, "{% macro f(n) %}{{ f(n-1) if n }}{{ f(n-1) if n }}{% endmacro %}{{ f(40) }}", f"{_END} (more than"),
        (1, "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}", f"{_END} ("),
        (1, "{{ 9 ** 99999999 }}", f"{_END} (a result of '**' that is too large)"),
        (1, "{{ 'a' * 10**10 }}", f"{_END} (a result of '*' that is too large)"),
        (1, "{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
         f"{_END} (a text of more than 33,554,432 characters)"),
        (1, "{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
         f"{_END} (a result of '+' that is too large)"),
        (1, "{% for i in range(99) %}{{ 'x' * 999999 }}{% endfor %}",
         f"{_END} (a prompt of more than 33,554,432 characters)"),
        (1, "{{ 1 / 0 }}", "the template fails (ZeroDivisionError: division by zero)"),
        (2, "\n{{ item.input", "not a template (unexpected end of template"),
        (1, "{{ item.input|shout }}", "not a template (No filter named 'shout'.)"),
        (1, "{{ [1, 2]|random }}", "not a template (No filter named 'random'.)"),
        (1, "{{ lipsum() }}", f"{_FILL}: 'lipsum' is undefined"),
        (2, "\n{% include 'secrets' %}", "the template uses 'include', but stands alone"),
        (1, "{% block a %}{{ self.a() }}{% endblock %}", "the template uses 'block', but stands alone"),
        (1, "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "the template is nested too deeply to be read"),
        (1, " {# nothing #}\n", "the template makes an empty prompt"),
    ],
)  # fmt: skip
def test_what_makes_no_prompt_is_one_line_with_its_place(line: int, text: str, what: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(text, VARIABLES)
    assert caught.value.line == line
    assert caught.value.what.startswith(what)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{{ '%2000000000d' % 1 }}", "%"),
        ("{{ '%.*f' % (2000000000, 1.5) }}", "%"),
        ("{{ '%d%%%*d' % (1, 2000000000, 1) }}", "%"),
        ("{{ '%2000000000d'|format(1) }}", "format"),
        ("{{ '%(a)2000000000d'|format(a=1) }}", "format"),
        ("{{ '{:2000000000}'.format(1) }}", "format"),
        ("{{ '{:{w}}'.format(1, w=2000000000) }}", "format"),
        ("{{ '{0:{1[n]}}'.format(1, {'n': 2000000000}) }}", "format"),
        ("{{ ('{0:30000000}' * 1000).format(1) }}", "format"),
        ("{{ ('{0}' * 1000).format('x' * 1000000) }}", "format"),
        ("{{ '{n:2000000000}'.format_map(vars) }}", "format"),
        ("{{ item.input.ljust(2000000000) }}", "ljust"),
        ("{{ item.input.rjust(width=2000000000) }}", "rjust"),
        ("{{ item.input.center(2000000000) }}", "center"),
        ("{{ item.input.zfill(2000000000) }}", "zfill"),
        ("{{ ('\t' * 1000000).expandtabs(1000) }}", "expandtabs"),
        ("{{ vars.n.to_bytes(2000000000, 'big') }}", "to_bytes"),
        ("{{ item.input|center(2000000000) }}", "center"),
        ("{{ item.input|indent(2000000000, true) }}", "indent"),
        ("{{ ('\\n' * 1000000)|indent(width=1000) }}", "indent"),
        ("{{ ('a ' * 16000000)|wordwrap(1) }}", "wordwrap"),
        ("{{ ('a' * 1000000)|wordwrap(1) }}", "wordwrap"),
        ("{{ ('a ' * 100000)|wordwrap(1, true, 'x' * 1000000) }}", "wordwrap"),
        ("{{ ('a.org ' * 5000000)|urlize }}", "urlize"),
        ("{{ vars|tojson(indent=2000000000) }}", "tojson"),
        ("{{ [1]|batch(2000000000, 'x')|list }}", "batch"),
        ("{{ [1]|slice(2000000000)|list }}", "slice"),
        ("{{ ('a' * 1000000).replace('a', 'b' * 10000)|length }}", "replace"),
        ("{{ ('a' * 1000000)|replace('a', 'b' * 10000)|length }}", "replace"),
        ("{{ ('b' * 10000).join('a' * 1000000)|length }}", "join"),
        ("{{ ('a' * 1000000)|join('b' * 10000)|length }}", "join"),
        ("{{ (['b' * 10000] * 1000000)|join|length }}", "join"),
        ("{{ ('a' * 1000000).translate({97: 'b' * 10000})|length }}", "translate"),
        ("{{ ('a ' * 10000000)|title|length }}", "title"),
        ("{{ ('a ' * 10000000)|wordcount }}", "wordcount"),
        ("{{ ([[1] * 300] * 9000)|sum(start=[])|length }}", "sum"),
    ],
)
def test_what_is_too_wide_for_any_prompt_is_told_before_it_is_made(text: str, name: str) -> None:
    began = monotonic()
    with pytest.raises(TemplateError) as caught:
        render("ok\n" + text, VARIABLES)
    assert monotonic() - began < 5
    assert (caught.value.line, caught.value.what) == (2, f"{_END} (a result of '{name}' that is too large)")


@given(st.text("{}%# \nabitem.|~()'", max_size=40))
def test_any_text_is_a_prompt_or_has_a_line(text: str) -> None:
    line = line_of_failure(text)
    assert line is None or 1 <= line <= text.count("\n") + 1


def line_of_failure(text: str) -> int | None:
    try:
        made = render(text, VARIABLES)
    except TemplateError as error:
        return error.line
    assert made.strip()
    return None


@pytest.mark.long
def test_variables_are_as_they_were_and_steps_start_anew() -> None:
    for _ in range(3):
        render("{% for a in range(40000) %}.{% endfor %}", VARIABLES)
    assert VARIABLES["item"]["tags"] == ["fee", "late"]
