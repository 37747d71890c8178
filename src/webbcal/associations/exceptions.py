"""What scripts written for jwst catch: an association that is not valid is an `InputError` here."""

from webbcal.core.errors import InputError as AssociationNotValidError

__all__ = ["AssociationNotValidError"]
