# A team retrains every night on MNIST and on images of its own, and asks in the morning why.
digits retrain --preset quick --direct
digits retrain --preset quick --direct --labelled own --dry-run
digits retrain --preset quick --direct --labelled own
digits explain @champion
