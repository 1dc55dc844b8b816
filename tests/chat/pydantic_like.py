"""A class with the three methods of a pydantic model that the library uses, so that the tests need no pydantic."""

import json
from typing import Any, ClassVar


class PydanticLike:
    """Subclasses set `SCHEMA` and read with `read(plain)`."""

    SCHEMA: ClassVar[dict[str, Any]] = {}

    def __init__(self, **values):
        self.values = values

    def __eq__(self, other):
        return type(self) is type(other) and self.values == other.values

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def model_json_schema(cls):
        return json.loads(json.dumps(cls.SCHEMA))

    @classmethod
    def model_validate(cls, plain):
        if not isinstance(plain, dict) or set(plain) - set(cls.SCHEMA["properties"]):
            raise ValueError(f"1 validation error for {cls.__name__}")
        return cls(**{name: int(value) if name == "age" else value for name, value in plain.items()})

    @classmethod
    def model_validate_json(cls, text):
        return cls.model_validate(json.loads(text))

    def model_dump(self, **_):
        return dict(self.values)


class Dog(PydanticLike):
    SCHEMA: ClassVar[dict[str, Any]] = {
        "title": "Dog",
        "type": "object",
        "$defs": {"Name": {"title": "Name", "type": "string"}},
        "properties": {
            "name": {"$ref": "#/$defs/Name"},
            "age": {"title": "Age", "type": "integer"},
            "title": {"title": "Title", "type": "string"},
        },
        "required": ["name"],
    }
