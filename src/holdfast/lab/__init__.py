"""The lab: what would a policy do to a partner, and the partner to it, in virtual time?

`scenario` says what happens, `world` draws it from a seed, `partner` is the model of the other
side. `product` runs Holdfast's own engine against it, `baseline` what people use today, `oracle`
the best that is possible. `measure` reads off the figures, `compare` sets them side by side over
many seeds, `study` does all of it in several processes.
"""
