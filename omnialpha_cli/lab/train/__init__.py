"""Train the networks: packs of pictures become examples of the tasks, and those train one network after another.

`packs` reads, `augment` varies, `examples` composes and draws tasks; `data` does so beforehand, to files. `loop` runs
every training: `light_vae` or `vae`, `image_encoder`, `sft`, `grpo`, each an objective; `distributed`, `checkpoint`,
`lora` and `log` serve it. `recipe` holds their numbers, `networks` builds what they name, `stages` are the
commands, and `export` writes weights.
"""
