"""Turn exceptions into messages and exit codes. No other module does this."""

from __future__ import annotations

import signal
import sys
import tempfile
import traceback
from collections.abc import Callable

from nanokinetics.cli.saying import say_fitting
from nanokinetics.cli.streams import steady_streams
from nanokinetics.common.secrets import mask
from nanokinetics.common.text import plain_lines
from nanokinetics.errors import ExitCode, NanokineticsError


def guarded(run: Callable[[], int], name: str = "nanokinetics") -> int:
    """Call `run` and return its exit code. An exception becomes one line and an exit code.

    name: the program's name, at the start of the line. From here on, SIGTERM acts like Ctrl-C.
    """
    with steady_streams():
        return _guarded(run, name)


def _guarded(run: Callable[[], int], name: str) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = int(run())
        sys.stdout.flush()  # notice a full disk here, not when the interpreter ends
    except NanokineticsError as error:
        return _fail(name, str(error), error.exit_code, error)
    except KeyboardInterrupt as error:
        for number in (signal.SIGINT, signal.SIGTERM):  # it is ending: ignore a second one
            signal.signal(number, signal.SIG_IGN)
        what = "interrupted; what was finished is kept, and the same command goes on"
        return _fail(name, what, ExitCode.INTERRUPTED, error)
    except OSError as error:
        what = f"{error.filename or 'error'}: {error.strerror or error}"
        return _fail(name, what, ExitCode.ERROR, error)
    except Exception as error:  # noqa: BLE001 - a bug: keep the traceback, show one line
        return _fail(name, f"{_keep(error)}; what was finished is kept", ExitCode.ERROR, error)
    else:
        return code


def _fail(name: str, message: str, code: ExitCode, error: BaseException) -> ExitCode:
    """Say what happened in a line, then the notes of the error: what to do next, for one."""
    notes = getattr(error, "__notes__", ())
    say_fitting(f"{name}: {mask(message)}", *map(mask, notes), to=sys.stderr)
    return code


def _keep(error: Exception) -> str:
    """Write the traceback to a file for a bug report, and return the line that names the file.

    The user will send both to others, so secrets are masked.
    """
    text = mask("".join(traceback.format_exception(error)))
    what = " ".join(mask(f"{type(error).__name__}: {error}").split())
    line = f"this should not have happened: {what}; please report it"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="nanokinetics-", suffix=".log", delete=False, encoding="utf-8"
        ) as file:
            file.write(f"{plain_lines(text.rstrip().split(chr(10)))}\n")
    except OSError as unwritten:
        return f"{line} (its traceback cannot be written: {unwritten.strerror})"
    return f"{line}, with {file.name}"
