"""`python -m magpie_hub`, for where the console script is not on the PATH."""

from magpie_hub.cli import main

if __name__ == "__main__":
    main()
