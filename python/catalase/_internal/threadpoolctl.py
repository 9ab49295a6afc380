"""Support for threadpoolctl, where it is installed: its ``threadpool_limits`` applies to Catalase's thread pool too."""

from __future__ import annotations

import threadpoolctl


class CatalaseController(threadpoolctl.LibController):
    """The controller by which threadpoolctl finds the compiled module among the loaded libraries and calls it."""

    user_api = "catalase"
    internal_api = "catalase"
    filename_prefixes = ("_core",)
    check_symbols = ("catalase_get_num_threads", "catalase_set_num_threads", "catalase_version")

    def get_num_threads(self) -> int:
        return int(self.dynlib.catalase_get_num_threads())

    def set_num_threads(self, num_threads: int) -> None:
        self.dynlib.catalase_set_num_threads(int(num_threads))

    def get_version(self) -> str | None:
        # threadpoolctl asks before it looks at check_symbols, and other packages have a library named _core too.
        if not hasattr(self.dynlib, "catalase_version"):
            return None
        import ctypes

        self.dynlib.catalase_version.restype = ctypes.c_char_p
        return str(self.dynlib.catalase_version().decode())

    def set_additional_attributes(self) -> None:
        """Set nothing: there are no further attributes."""


def register() -> None:
    """Add the controller to threadpoolctl's."""
    threadpoolctl.register(CatalaseController)
