"""Nouns and verbs: a noun is a module with functions, which become commands when they are asked for."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup

from vestibule.cli.frame.values import QuickCommand, QuickOptions

Function = Callable[..., None]
Decorator = Callable[[Function], Function]
# What typer makes of a function; its own class is not public.
Command = Any
SHOW = "show"


class Verb(NamedTuple):
    """A verb of a noun: its function, the examples of its help, and whether the help of the noun lists it."""

    function: Function
    examples: tuple[str, ...]
    is_hidden: bool


class Noun:
    """A kind of thing and what can be done with it: `vestibule NOUN VERB`.

    The sentence about it stands in the table of `frame.tree`, so that the help of the program loads no noun.
    """

    def __init__(self, *examples: str) -> None:
        """Take the examples of its help, each a command line."""
        self.examples = examples
        self.verbs: dict[str, Verb] = {}

    def verb(self, name: str, *examples: str, is_hidden: bool = False) -> Decorator:
        """Make a function a verb; its docstring is the help."""

        def add(function: Function) -> Function:
            self.verbs[name] = Verb(function, examples, is_hidden)
            return function

        return add

    def command(self, name: str, sentence: str) -> Command:
        """Return the noun as a command that is named so, with a help that begins with the sentence."""
        return NounGroup(
            LazyCommands({verb: self._maker(verb) for verb in self.verbs}),
            name=name,
            help=sentence,
            epilog=epilog_of(self.examples),
            no_args_is_help=True,
            subcommand_metavar="VERB [ARGS]...",
        )

    def _maker(self, name: str) -> Callable[[], Command]:
        verb = self.verbs[name]
        return lambda: command_of(name, verb.function, verb.examples, is_hidden=verb.is_hidden)


class LazyCommands(MutableMapping[str, Command]):
    """Commands by name; each is made when it is taken."""

    def __init__(self, makers: Mapping[str, Callable[[], Command]]) -> None:
        self._makers = dict(makers)
        self._made: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        """Return a command, made now or before."""
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __setitem__(self, name: str, command: Command) -> None:
        """Add a command."""
        self._makers[name] = lambda: command

    def __delitem__(self, name: str) -> None:
        """Remove a command."""
        del self._makers[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._makers)

    def __contains__(self, name: object) -> bool:
        """Return whether there is a command of that name, without making it."""
        return name in self._makers

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._makers)


class NounGroup(QuickOptions, TyperGroup):
    """The verbs of a noun; an id in place of a verb means `show` where there is such a verb."""

    def __init__(self, verbs: LazyCommands, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = verbs

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, with `show` before an id."""
        first = next((word for word in args if not word.startswith("-")), None)
        is_id = first is not None and first not in self.commands and any(char.isdigit() for char in first)
        return super().parse_args(ctx, [SHOW, *args] if is_id and SHOW in self.commands else args)


def with_examples(*examples: str) -> Decorator:
    """Give a command that is no verb the examples of its help."""

    def add(function: Function) -> Function:
        function.__dict__["examples"] = examples
        return function

    return add


def command_of(
    name: str, function: Function, examples: tuple[str, ...] = (), *, is_hidden: bool = False, panel: str | None = None
) -> Command:
    """Return a function as a command of the program."""
    maker = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    settings = {"help_option_names": ["-h", "--help"]}
    maker.command(
        name,
        cls=QuickCommand,
        epilog=epilog_of(examples),
        hidden=is_hidden,
        rich_help_panel=panel,
        context_settings=settings,
    )(function)
    return typer.main.get_command(maker)


def epilog_of(examples: tuple[str, ...]) -> str | None:
    """Return the end of a help text: the examples, a paragraph each, so that each has a line of its own."""
    return "\n\n".join(["Examples:", *(_escaped(f"  {example}") for example in examples)]) if examples else None


def examples_of(command: Command) -> list[str]:
    """Return the examples in the help of a command."""
    title, *examples = (command.epilog or "").split("\n\n")
    return [one.strip().replace("\\[", "[") for one in examples] if title == "Examples:" else []


def _escaped(example: str) -> str:
    # Square brackets are markup of the help.
    return example.replace("[", "\\[")
