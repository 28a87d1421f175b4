"""LinkedIn for aie: posts and comments that say exactly what was approved, and posts scheduled as notes."""
