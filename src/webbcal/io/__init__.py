"""Files: the only package that knows about HDUs, byte order and the ASDF extension."""
