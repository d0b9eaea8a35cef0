"""How recipients are reached: one module or folder per protocol."""
