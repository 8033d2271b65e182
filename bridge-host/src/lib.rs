//! The daemon gpu-bridge-host: GPUs as directories over Secure9P.
