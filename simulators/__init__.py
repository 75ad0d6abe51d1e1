"""Runnable stand-ins for the systems Returnbridge talks to. They import no product code."""
