"""Several models held together: the exposures of an association, opened when they are touched."""

from webbcal.library.container import ModelContainer, open_several
from webbcal.library.library import BorrowError, ClosedLibraryError, LibraryError, ModelLibrary

__all__ = [
    "BorrowError",
    "ClosedLibraryError",
    "LibraryError",
    "ModelContainer",
    "ModelLibrary",
    "open_several",
]
