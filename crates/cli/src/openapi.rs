//! `smart-notes openapi`: the description of the API, as `/api/openapi.json` serves it.

use std::process::ExitCode;

use runtime::settings::Settings;

/// Prints the description, without routes that are off in the settings.
pub fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let document = smart_notes_api::openapi::document(settings);
    say!("{}", serde_json::to_string_pretty(&document)?);
    Ok(ExitCode::SUCCESS)
}
