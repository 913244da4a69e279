"""All commands of the program by name, and where each is: a command is imported when it, or its help, is asked for."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from typer.core import TyperCommand, TyperGroup

from vestibule.cli.frame.noun import Command, LazyCommands, Noun, command_of
from vestibule.cli.frame.values import QuickOptions

RUN = "Run Vestibule"
USE = "Use a running Vestibule"
WATCH = "Watch it"
GOVERN = "Govern it"
CHECK = "Check texts"
MANAGE = "Manage an installation"
SHORT = "Short names"
ROOM = "vestibule.cli."


class CommandPlace(NamedTuple):
    """Where a command is: `module:name` below `vestibule.cli`, its panel in the help, and the sentence about it."""

    target: str
    panel: str
    sentence: str


# A target is a `Noun` or a function. The sentence of a function is that of its docstring.
PLACES: Mapping[str, CommandPlace] = {
    "up": CommandPlace("embedded.command:up", RUN, "Start everything on this machine and keep it running."),
    "serve": CommandPlace("program:serve", RUN, "Run one service in the foreground."),
    "worker": CommandPlace("program:worker", RUN, "Run one Celery worker in the foreground."),
    "plan": CommandPlace("commands.plan:plan", RUN, "Calculate how many of each part a load needs."),
    "entry": CommandPlace("commands.data.entry:entry", USE, "Store, read, list and delete entries: values under keys."),
    "task": CommandPlace("commands.work.task:task", USE, "Run tasks; show, list, cancel, retry and drop them."),
    "schedule": CommandPlace(
        "commands.work.schedule:schedule", USE, "Run tasks again and again, by a cron line or an interval."
    ),
    "queue": CommandPlace(
        "commands.work.queue:queue", USE, "Pause and resume the queue of tasks; show it and its workers."
    ),
    "subject": CommandPlace("commands.govern.subject:subject", USE, "Find and erase everything that holds a value."),
    "processors": CommandPlace("commands.catalog:processors", USE, "List the processors."),
    "bench": CommandPlace("commands.bench:bench", USE, "Measure a running Vestibule."),
    "server": CommandPlace("commands.watch.server:server", WATCH, "Name servers and choose one; show how a system is."),
    "alert": CommandPlace("commands.watch.alert:alert", WATCH, "List, show, acknowledge and resolve alerts."),
    "silence": CommandPlace(
        "commands.watch.silence:silence", WATCH, "Hold back the notifications of alerts for a time."
    ),
    "channel": CommandPlace("commands.watch.channel:channel", WATCH, "List and test the channels of notifications."),
    "heartbeat": CommandPlace(
        "commands.watch.heartbeat:heartbeat", WATCH, "Send and list heartbeats of recurring jobs."
    ),
    "maintenance": CommandPlace("commands.watch.maintenance:maintenance", WATCH, "Plan and end maintenance windows."),
    "decision": CommandPlace(
        "commands.watch.decision:decision", WATCH, "List, follow and count the decisions of the policy."
    ),
    "trace": CommandPlace(
        "commands.watch.trace:trace", WATCH, "Show all that happened to a request, task, decision, alert or job."
    ),
    "policy": CommandPlace("commands.govern.policy:policy", GOVERN, "Show, check, test and replay policies."),
    "allowance": CommandPlace(
        "commands.govern.allowance:allowance", GOVERN, "Let values pass that were found by mistake."
    ),
    "receipt": CommandPlace("commands.govern.receipt:receipt", GOVERN, "Get and verify signed receipts."),
    "audit": CommandPlace(
        "commands.govern.audit:audit", GOVERN, "List, verify and export the audit: who did what, and why."
    ),
    "token": CommandPlace(
        "commands.govern.token:token", GOVERN, "Create, list, rotate and revoke the tokens of callers."
    ),
    "scan": CommandPlace("commands.scan:scan", CHECK, "Scan texts and files for personal data and secrets."),
    "detectors": CommandPlace("commands.catalog:detectors", CHECK, "List the detectors."),
    "rule": CommandPlace("commands.govern.rule:rule", CHECK, "Take over rules of gitleaks and Presidio; list rules."),
    "canary": CommandPlace("canary.command:canary", CHECK, "Prove that nothing leaks."),
    "config": CommandPlace(
        "configuration.command:config", MANAGE, "Show every setting, its value and where that comes from."
    ),
    "doctor": CommandPlace("doctor.command:doctor", MANAGE, "Say what is wrong with an installation, and what to do."),
    "db": CommandPlace("commands.database:db", MANAGE, "Check, migrate, export and import the database."),
    "keyring": CommandPlace(
        "commands.govern.keyring:keyring", MANAGE, "List, rotate, check and retire encryption keys."
    ),
    "secrets": CommandPlace("commands.deployment_secrets:secrets", MANAGE, "Make the secrets of a deployment."),
}
# What a short name stands for. A plural stands for its noun, and alone it lists: `alerts` is `alert list`.
SHORT_NAMES: Mapping[str, str] = {
    "add": "entry add",
    "read": "entry read",
    "run": "task run",
    "message": "task message",
    "logs": "server logs",
    "status": "server status",
}
PLURALS: Mapping[str, str] = {
    "alerts": "alert",
    "allowances": "allowance",
    "channels": "channel",
    "decisions": "decision",
    "entries": "entry",
    "heartbeats": "heartbeat",
    "keys": "keyring",
    "rules": "rule",
    "schedules": "schedule",
    "servers": "server",
    "silences": "silence",
    "tasks": "task",
    "tokens": "token",
}
# Names of before, which no help lists.
FORMER_NAMES: Mapping[str, str] = {
    "list": "entry list",
    "delete": "entry delete",
    "history": "entry history",
    "dead list": "task list --state dead",
    "dead retry": "task retry",
    "dead drop": "task drop",
    "workers": "queue workers",
    "alerts test": "channel test --here",
    "policy allow": "allowance add",
    "policy allowances": "allowance list",
    "policy revoke": "allowance revoke",
}


def expand(words: list[str]) -> list[str]:
    """Return the words of a command line with its short, plural or former name replaced by noun and verb."""
    for length in (2, 1):
        name = " ".join(words[:length])
        if (meaning := FORMER_NAMES.get(name) or SHORT_NAMES.get(name)) is not None:
            return [*meaning.split(), *words[length:]]
    if words and (noun := PLURALS.get(words[0])) is not None:
        has_verb = len(words) > 1 and not words[1].startswith("-")
        return [noun, *words[1:]] if has_verb else [noun, "list", *words[1:]]
    return words


def make_tree() -> LazyCommands:
    """Return the commands at the root by name, with all other names that can stand in their place."""
    makers: dict[str, Callable[[], Command]] = {name: partial(_load, name) for name in PLACES}
    for meanings in (SHORT_NAMES, PLURALS, FORMER_NAMES):
        for name, meaning in meanings.items():
            makers.setdefault(name.split()[0], partial(_find, name, meaning))
    return LazyCommands(makers)


class CommandTree(QuickOptions, TyperGroup):
    """The root of the program. Its help shows each command by its sentence, and imports none."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = make_tree()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command, and replace a name that stands for another."""
        super().parse_args(ctx, args)
        words = expand([*ctx._protected_args, *ctx.args])
        ctx._protected_args, ctx.args = words[:1], words[1:]
        return ctx.args  # type: ignore[no-any-return]

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the name is that of the framework
        """Return what the help lists."""
        return [*PLACES, *SHORT_NAMES]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help without loading a command."""
        listed = LazyCommands({name: partial(_described, name) for name in self.list_commands(ctx)})
        commands, self.commands = self.commands, listed
        try:
            super().format_help(ctx, formatter)
        finally:
            self.commands = commands

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Complete a name without loading a command."""
        listed = LazyCommands({name: partial(_described, name) for name in self.list_commands(ctx)})
        commands, self.commands = self.commands, listed
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self.commands = commands


def _load(name: str) -> Command:
    place = PLACES[name]
    module, _, attribute = place.target.partition(":")
    found = getattr(import_module(ROOM + module), attribute)
    if isinstance(found, Noun):
        return found.command(name, place.sentence)
    return command_of(name, found, found.__dict__.get("examples", ()), panel=place.panel)


def _find(name: str, meaning: str) -> Command:
    """Return the command that another name stands for; the noun for the first of two words."""
    noun, *verb = meaning.split()
    command = _load(noun)
    return command.commands[verb[0]] if verb and " " not in name else command


def _described(name: str) -> Command:
    if name in PLACES:
        return TyperCommand(name, help=PLACES[name].sentence, rich_help_panel=PLACES[name].panel)
    return TyperCommand(name, help=f"Short for `{SHORT_NAMES[name]}`.", rich_help_panel=SHORT)
