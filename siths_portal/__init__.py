"""Settings, wiring and commands of the portal, and `lib`, which every application may use."""
