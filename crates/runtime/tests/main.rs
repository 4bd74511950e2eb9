//! The tests of what all programs share: settings, logs, metrics and signals.

mod metrics;
mod settings_layers;
mod settings_legacy_env;
mod settings_refused;
mod settings_secrets;
mod settings_unknown;
mod shutdown;
mod support;
mod telemetry;
mod urls;
