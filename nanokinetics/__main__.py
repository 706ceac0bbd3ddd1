"""`python -m nanokinetics` is the command `nanokinetics`."""

import sys


def main() -> int:
    """Run the command; returns its exit code.

    The command is imported here, not above, because child processes import this file again.
    """
    from nanokinetics.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
