"""`python -m nanokinetics` is the command `nanokinetics`."""

import sys


def main() -> int:
    """Run the command; its exit code. What is run is imported here, and not above: a process that
    is started from this one imports this file again."""
    from nanokinetics.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
