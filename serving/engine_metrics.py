"""What the engine of the service counts for Prometheus: its store, and its changes of model."""

from prometheus_client import Counter, Gauge

DEGRADED = Counter(
    "shopguide_degraded",
    "Requests answered without current features, by reason: no_store, failed, circuit_open, stale.",
    ["reason"],
)
CIRCUIT_OPEN = Gauge(
    "shopguide_store_circuit_open",
    "1 while the feature store is left alone, since it fails.",
    multiprocess_mode="mostrecent",
)
FEATURE_AGE = Gauge(
    "shopguide_feature_age_seconds",
    "Since the features were materialised.",
    multiprocess_mode="mostrecent",
)
SWAPS = Counter(
    "shopguide_model_swaps",
    "Changes of the champion: swapped, or refused and why logged.",
    ["what"],
)
