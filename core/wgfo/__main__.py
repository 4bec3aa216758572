"""``python -m wgfo``."""

from wgfo.cli.main import main

if __name__ == "__main__":
    main()
