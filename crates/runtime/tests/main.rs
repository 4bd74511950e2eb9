//! The tests of what all programs share: settings, logs, metrics and signals.

mod metrics;
mod settings_bare_names;
mod settings_layers;
mod settings_refused;
mod settings_secrets;
mod shutdown;
mod support;
mod telemetry;
mod urls;
