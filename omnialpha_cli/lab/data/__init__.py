"""Make training data as files: triplets of foreground, background and scene, of cut-outs and backgrounds.

`layouts` finds pictures in folders and packs, `sources` reads them, `synthesis` composes them with the help of one
module for every kind of matter and effect, `admission` keeps what holds together, `shards` writes and reads the
result, and `build` runs it all.
"""
