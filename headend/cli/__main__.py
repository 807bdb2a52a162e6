"""`python -m headend.cli`: the same as the `headend` command."""

from headend.cli import main

if __name__ == "__main__":
    main()
