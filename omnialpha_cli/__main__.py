"""Run the command line by `python -m omnialpha_cli`."""

from .cli.main import main

if __name__ == "__main__":
    main()
