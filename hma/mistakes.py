"""What is wrong with an option, in words: the verbs of a program that say what a number may be, and what is missing."""

from __future__ import annotations

from typing import Any

import click
from typer.core import TyperGroup

_WHOLE, _ANY = type(click.INT), type(click.FLOAT)


class Verbs(TyperGroup):
    """Verbs whose numbers are ``Number``s, and which say of an option or argument that lacks its value what it takes."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        for parameter in command.params if command else ():
            if isinstance(parameter.type, (_WHOLE, _ANY)):
                parameter.type = Number(parameter.type)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.MissingParameter as error:
            error.message = getattr(error.param, "help", None) or error.message
            raise


class Number(click.ParamType):
    """A number as another type reads it; what that refuses is answered with what it may be."""

    def __init__(self, kind: click.ParamType) -> None:
        self._kind = kind
        self.name = "integer" if isinstance(kind, _WHOLE) else "number"
        self._bounds = _bounds(getattr(kind, "min", None), getattr(kind, "max", None))

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"{self.name.upper()}{self._bounds}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._kind.convert(value, param, ctx)
        except click.BadParameter:
            what = "a whole number" if self.name == "integer" else "a number"
            self.fail(f"'{value}'. It must be {what}{self._bounds}.", param, ctx)


def _bounds(low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else f", {high:g} or less"
    return f", {low:g} or more" if high is None else f" from {low:g} to {high:g}"
