"""Settings, faces and wiring of the portal, and `lib`, which every application may use."""
