# Somebody asks which version was in production last Tuesday, why, and to go back to it.
digits retrain --preset quick --direct
digits retrain --preset quick --direct --seed 1
digits explain @champion --at 2026-11-24
digits show @champion --at 2026-11-24
digits rollback --reason "as on Tuesday"
