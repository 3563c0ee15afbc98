"""The bundled server: settings, wiring and command line."""
