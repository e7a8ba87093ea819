"""What all commands share: option groups spelled out for Typer, exit codes, and never a traceback.

One idea: a command is a plain function that returns an exit code (None for 0). Its parameters may be option groups
(dataclasses of `kleiber.cli.options`); here a group becomes its options on the command line, and one value again for the
function.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

import typer

from kleiber.cli import failure

Function = Callable[..., int | None]


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command: its name, a line on it, the function behind it, and the schema of its JSON (a refusal bears it too; None where
    it has no --json).

    `group` is the word before the name, as in `kleiber lab run`.
    """

    name: str
    title: str
    run: Function
    schema: str | None
    group: str = ""

    @property
    def speaks_json(self) -> bool:
        """Whether it takes --json."""
        return "output" in _spread(self.run)[0]

    def join(self, app: typer.Typer) -> None:
        """Put the command on a command line."""
        app.command(self.name, short_help=self.title)(_for_typer(self))


def _for_typer(command: Command) -> Callable[..., None]:
    """The function as Typer wants it: flat parameters, exit codes raised."""
    groups, parameters = _spread(command.run)

    def run(**given: Any) -> None:
        gathered: dict[str, Any] = {
            name: group(**{field.name: given.pop(field.name) for field in dataclasses.fields(group)})
            for name, group in groups.items()
        }
        try:
            code = command.run(**gathered, **given) or 0
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            as_json = "output" in groups and gathered["output"].as_json
            code = failure.report(error, schema=command.schema if as_json else None)
        raise typer.Exit(code)

    run.__doc__ = inspect.cleandoc(command.run.__doc__ or "")
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _spread(function: Function) -> tuple[dict[str, type], list[inspect.Parameter]]:
    """The option groups among the parameters of `function`, and the flat list of parameters."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, type] = {}
    flat: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if dataclasses.is_dataclass(hints[name]):
            groups[name] = hints[name]  # type: ignore[assignment]
            flat += _options(hints[name])
        else:
            flat.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))
    return groups, flat


def _options(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(group)
    ]
