# A person has a folder of scans, and wants a spreadsheet with what to look at twice.
digits retrain --preset quick --direct
digits predict scans/0.png
digits score scans --direct --format xlsx --min-confidence 0.9
