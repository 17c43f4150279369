"""Training: packs of pictures → examples of the 21 tasks → the networks, one after another.

`packs` reads, `augment` varies, `examples` composes and draws tasks, `data` does both beforehand and keeps the result,
`loop` runs any of the three trainings (`vae`, `image_encoder`, `sft`), `recipe` holds their numbers, `export` writes a
weights folder.
"""
