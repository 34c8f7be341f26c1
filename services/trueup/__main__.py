"""`python -m trueup` is the `trueup` command."""

import sys


def main() -> None:
    """Run the command, where what it needs is installed: an app has the SDK alone."""
    try:
        from trueup.cli import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("trueup"):
            raise
        sys.exit(f"trueup: the command needs more than the SDK ({error.name}): pip install 'trueup[server]'")
    run()


if __name__ == "__main__":
    main()
