"""Advice on a spec beyond what is valid: rules over the plain document, which need neither AWS nor a valid spec."""
