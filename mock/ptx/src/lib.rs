//! The software GPU's front end: PTX text to typed IR.
