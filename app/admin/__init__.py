"""HTTP surface for administrators: one small module per capability."""
