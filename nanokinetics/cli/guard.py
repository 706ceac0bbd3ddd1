"""Turn exceptions into messages and exit codes. No other module does this."""

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
    """Call `run` and return its exit code. An exception becomes one line and an exit code.

    name: the program's name, at the start of the line. From here on, SIGTERM acts like Ctrl-C.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = int(run())
        sys.stdout.flush()  # notice a closed pipe here, not when the interpreter ends
    except NanokineticsError as error:
        return _fail(name, str(error), error.exit_code)
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM):  # it is ending: ignore a second one
            signal.signal(number, signal.SIG_IGN)
        what = "interrupted; what was finished is kept, and the same command goes on"
        return _fail(name, what, ExitCode.INTERRUPTED)
    except BrokenPipeError:  # the reader of the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.ERROR
    except OSError as error:
        return _fail(
            name, f"{error.filename or 'error'}: {error.strerror or error}", ExitCode.ERROR
        )
    except Exception as error:  # noqa: BLE001 - a bug: keep the traceback, show one line
        return _fail(name, f"{_keep(error)}; what was finished is kept", ExitCode.ERROR)
    else:
        return code


def _fail(name: str, message: str, code: ExitCode) -> ExitCode:
    say(f"{name}: {message}", to=sys.stderr)
    return code


def _keep(error: Exception) -> str:
    """Write the traceback to a file for a bug report, and return the line that names the file.

    The user will send both to others, so secrets are masked.
    """
    from nanokinetics.common.secrets import mask

    text = mask("".join(traceback.format_exception(error)))
    with tempfile.NamedTemporaryFile(
        "w", prefix="nanokinetics-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        file.writelines(f"{plain(line)}\n" for line in text.rstrip().split("\n"))
    what = " ".join(mask(f"{type(error).__name__}: {error}").split())
    return f"this should not have happened: {what}; please report it, with {file.name}"
