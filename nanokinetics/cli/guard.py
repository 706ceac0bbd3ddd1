"""The only place where exceptions become messages."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable

from nanokinetics.cli.saying import say
from nanokinetics.common.text import plain
from nanokinetics.errors import ExitCode, NanokineticsError


def guarded(run: Callable[[], int], name: str = "nanokinetics") -> int:
    """The exit code of `run`; what goes wrong becomes one line under `name`, and a code.

    SIGTERM is taken like Ctrl-C from here on.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = int(run())
        sys.stdout.flush()  # a pipe that has gone is noticed here, not at the interpreter's end
    except NanokineticsError as error:
        return _fail(name, str(error), error.exit_code)
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM):  # it is ending: to be asked again is nothing
            signal.signal(number, signal.SIG_IGN)
        what = "interrupted; what was finished is kept, and the same command goes on"
        return _fail(name, what, ExitCode.INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.ERROR
    except OSError as error:
        return _fail(
            name, f"{error.filename or 'error'}: {error.strerror or error}", ExitCode.ERROR
        )
    except Exception as error:  # noqa: BLE001 - a defect of ours: kept whole, told in one line
        return _fail(name, f"{_keep(error)}; what was finished is kept", ExitCode.ERROR)
    else:
        return code


def _fail(name: str, message: str, code: ExitCode) -> ExitCode:
    say(f"{name}: {message}", to=sys.stderr)
    return code


def _keep(error: Exception) -> str:
    """Put a traceback into a file, for a report; the line that says where.

    It is to be handed on: secrets are masked in both.
    """
    from nanokinetics.common.secrets import mask

    told = mask("".join(traceback.format_exception(error)))
    with tempfile.NamedTemporaryFile(
        "w", prefix="nanokinetics-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        file.writelines(f"{plain(line)}\n" for line in told.rstrip().split("\n"))
    what = " ".join(mask(f"{type(error).__name__}: {error}").split())
    return f"this should not have happened: {what}; please report it, with {file.name}"
