"""Slips of jwst 3.0.0 that tests put into our steps, to compare all the rest (docs/parity.md names them)."""


def without_later_rows(on):
    """Return `Simulated.on` as jwst has it: rows and columns beyond the size of the simulation are lost.

    Where a slit begins before the simulation of its source, that is light of the source itself, which is then
    subtracted as contamination.
    """

    def cut(self, box):
        planes, (rows, columns) = on(self, box), self.box.shape
        if planes is None or self.box.y0 - box.y0 >= rows or self.box.x0 - box.x0 >= columns:
            return None
        planes[rows:], planes[:, columns:] = 0, 0
        return planes

    return cut
