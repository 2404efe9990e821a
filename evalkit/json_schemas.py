"""JSON schemas that people write: valid, and complete in themselves, since nothing is ever fetched."""

from collections.abc import Iterator

from pydantic import JsonValue


def check_schema(schema: dict[str, JsonValue], name: str = "schema") -> None:
    """Whether this is a schema, and its references lead somewhere inside it; ValueError with the remedy otherwise."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    try:
        validator_for(schema).check_schema(schema)
        inside = Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver()
        for target in _references(schema):
            inside.lookup(target)
    except SchemaError as error:
        raise ValueError(f"{name!r} is not a JSON schema ({error.message}); correct it") from error
    except Unresolvable as error:
        raise ValueError(f"{name!r} has a '$ref' ({error.ref}) that leads nowhere in it; correct it") from error


def _references(schema: JsonValue) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (target for key, target in schema.items() if key == "$ref" and isinstance(target, str))
    for below in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _references(below)
