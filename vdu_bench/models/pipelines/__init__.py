"""The pipelines that the suite knows, behind one interface."""
