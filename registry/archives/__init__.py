"""Export files: moving versions, with their weights and history, between registries."""

from registry.archives.checking import verify_export
from registry.archives.exporting import export_versions
from registry.archives.importing import import_versions

__all__ = ["export_versions", "import_versions", "verify_export"]
