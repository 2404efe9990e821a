"""`python -m evalkit` is the same as the `evalkit` command."""

from evalkit.cli import run_and_exit

if __name__ == "__main__":
    run_and_exit()
