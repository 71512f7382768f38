"""How a command line is run: errors and warnings in a line, signals, exit statuses, options that commands share."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperOption

from hybridnb.files import NO_ROOM
from hybridnb.process import Stopped, prepare, stopped_by_signals

Command = TypeVar("Command", bound=Callable[..., None])

RESUMED = ("run", "train", "tune", "evaluate", "index", "search-index", "debias", "fetch")
"""Commands that go on where they were stopped."""


def guarded(commands: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status.

    An error is one line, with status 2 where the user or the machine can mend it and 1 where it is ours;
    HYBRIDNB_DEBUG=1 shows its traceback. Ctrl-C, SIGTERM and SIGHUP are a line and 128 + the signal's number.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    name = next((argument for argument in arguments if not argument.startswith("-")), "")
    goes_on = "; the same command goes on from here" if name in RESUMED else ""
    prepare()
    try:
        with stopped_by_signals(), _warnings_in_a_line(program):
            _invoke(commands, program, arguments)
            sys.stdout.flush()
    except typer.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        _silence()
        # `describe | head` is no error; a training that nobody reads on is not finished
        return 128 + signal.SIGPIPE if name in RESUMED else 0
    except KeyboardInterrupt as stop:
        number = stop.number if isinstance(stop, Stopped) else signal.SIGINT
        _say(program, f"stopped by {signal.Signals(number).name}{goes_on}")
        return 128 + number
    except Exception as error:
        if os.environ.get("HYBRIDNB_DEBUG") == "1":
            raise
        status, text = _told(error)
        _say(program, text + (goes_on if isinstance(error, OSError) and error.errno in NO_ROOM else ""))
        return status
    return 0


def _invoke(commands: typer.Typer, program: str, arguments: list[str]) -> None:
    if f"_{program.upper()}_COMPLETE" in os.environ:
        commands(prog_name=program)  # the shell asks for completions
    command = typer.main.get_command(commands)
    with command.make_context(program, arguments) as context:
        command.invoke(context)


def _told(error: Exception) -> tuple[int, str]:
    """(exit status, the error in words)."""
    kind, text = type(error).__name__, str(error) or type(error).__name__
    if isinstance(error, typer.TyperException):
        return 2, f"{error.format_message().rstrip('.')} (`hybridnb COMMAND --help` shows how it goes)"
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return (
            2,
            f"no room to write {error.filename or 'a file'} ({error.strerror}): free disk space or quota",
        )
    if isinstance(error, MemoryError):
        return 2, f"out of memory ({text}): a smaller batch, pool or model, or a larger machine is needed"
    if isinstance(error, (ValueError, OSError, RuntimeError)):
        return 2, text
    return 1, f"unexpected {kind}: {text} (a fault of hybridnb's: HYBRIDNB_DEBUG=1 shows where)"


def _say(program: str, text: str) -> None:
    with suppress(OSError):
        print(f"{program}: {' '.join(text.split())}", file=sys.stderr, flush=True)


@contextmanager
def _warnings_in_a_line(program: str) -> Iterator[None]:
    """What is only worth a warning is told as errors are, without the line of code that gave it."""
    usual = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"{program}: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _silence() -> None:
    """Nothing more goes to a closed pipe, not even what Python flushes at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Strict(TyperCommand):
    """A command whose options count: one that takes a single value and is given twice is an error."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option in given:
            single = isinstance(option, TyperOption) and not (option.multiple or option.is_flag)
            if single and given.count(option) > 1:
                raise ValueError(f"{option.opts[0]} is given more than once")
        return super().parse_args(ctx, args)


def taking(options: Mapping[str, Any]) -> Callable[[Command], Command]:
    """Give a command options that others have, too; what they are set to it gets as **keywords.

    Args:
        options: name -> an annotation as typer takes it; each is None unless it is given.

    Example:
        >>> @taking({"seed": int | None})
        ... def train(study: str, **settings: int) -> None: ...
        >>> str(inspect.signature(train))
        '(study: str, *, seed: int | None = None) -> None'
    """

    def give(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True)
        parameters = [one for one in own.parameters.values() if one.kind is not one.VAR_KEYWORD]
        for name, kind in options.items():
            parameters.append(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
            )
        command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return give
