"""The parser of the command line's words: argparse, with errors of one line."""

from __future__ import annotations

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Argparse's, but that an error does not bury itself under the usage."""

    def error(self, message: str) -> NoReturn:
        """Tells it on standard error; ends with status 2."""
        self.exit(2, f"Error: {message}. What there is: {self.prog} --help\n")
