import numpy as np

from webbcal.core.dqflags import pixel
from webbcal.core.dqmap import DQDefinition, dynamic_mask


def table(*rows):
    return np.array(list(rows), [("VALUE", "<u4"), ("NAME", "S40")])


def test_bits_move_to_their_standard_places():
    definitions = table((1, "DO_NOT_USE"), (2, "DEAD"), (4, "NONSENSE"), (8, "HOT"))
    dq = np.array([[0, 1, 2], [3, 4, 15]], np.uint32)
    mapped, unknown = dynamic_mask(dq, definitions)
    dead, hot = pixel["DEAD"], pixel["HOT"]
    np.testing.assert_array_equal(mapped, [[0, 1, dead], [1 + dead, 0, 1 + dead + hot]])
    assert mapped.dtype == np.uint32
    assert unknown == ("NONSENSE",)
    assert dq[1, 2] == 15


def test_nothing_is_copied_when_nothing_moves():
    dq = np.array([0, 1, pixel["DEAD"]], np.uint32)
    assert dynamic_mask(dq, None)[0] is dq
    assert dynamic_mask(dq, table())[0] is dq
    assert dynamic_mask(dq, table((1, "DO_NOT_USE"), (pixel["DEAD"], "DEAD"), (2, "HOT")))[0] is dq


def test_a_bit_without_definition_is_dropped():
    assert dynamic_mask(np.array([3], np.uint32), table((1, "DO_NOT_USE")))[0][0] == 1


def test_an_entry_of_several_bits_matches_any_of_them():
    definition = DQDefinition.from_table(table((6, "HOT")))
    np.testing.assert_array_equal(definition.apply(np.array([0, 2, 4, 6], np.uint32)) > 0, [0, 1, 1, 1])


def test_empty_array():
    assert dynamic_mask(np.zeros((0, 5), np.uint32), table((1, "DEAD")))[0].shape == (0, 5)
