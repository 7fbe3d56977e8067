"""One file a version; its SQL lies beside it and never changes once released."""
