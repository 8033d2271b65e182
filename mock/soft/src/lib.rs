//! The software GPU's engine: typed IR to results, every access checked.
