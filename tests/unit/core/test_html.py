"""HTML by small functions."""

from webbcal.core import html


def test_elements_escape_what_is_put_into_them():
    made = html.element("a", "<b>&", ["x", html.element("br")], href='"><script>', title=None, open=True)
    assert made == '<a href="&quot;&gt;&lt;script&gt;" open>&lt;b&gt;&amp;x<br></a>'
    assert html.markup("\ud800") == "\\ud800"
