//! Unknown, misspelt and former names of settings, and of sections.

use crate::support::{Place, load, refused, with};
use smart_notes_runtime::settings::Settings;

#[test]
fn an_unknown_key_is_named_with_its_file() {
    let place = Place::new();
    let file = place.write("settings.toml", "[http]\nmax_conections = 5\n");

    let refused = refused(&place.options().with_config_file(&file));

    assert_eq!(
        refused,
        format!(
            "a setting can't be used:\n  http.max_conections ({}): unknown key. \
             Did you mean `http.max_connections`?",
            file.display()
        )
    );
}

#[test]
fn an_unknown_variable_is_named_with_the_nearest_known_one() {
    let place = Place::new();

    let near = refused(&with(&place, "OTP__TTL_SECOND", "5"));
    let far = refused(&with(&place, "ZEBRA__STRIPES", "5"));

    assert!(
        near.contains("environment variable SMART_NOTES__OTP__TTL_SECOND)"),
        "{near}"
    );
    assert!(
        near.contains("Did you mean `SMART_NOTES__OTP__TTL_SECONDS`?"),
        "{near}"
    );
    assert!(
        far.contains("zebra.stripes") && far.contains("config/default.toml"),
        "{far}"
    );
}

#[test]
fn a_variable_of_an_orchestrator_gives_no_warning() {
    let place = Place::new();

    let settings = load(
        &place
            .options()
            .with_variable("SMART_NOTES_PORT", "tcp://192.0.2.1:80")
            .with_variable("SMART_NOTES_SERVICE_HOST", "192.0.2.1"),
    );

    assert_eq!(settings.warnings(), [""; 0]);
}

#[test]
fn a_misspelt_variable_gives_a_warning_and_changes_nothing() {
    let place = Place::new();

    for (written, meant) in [
        ("SMART_NOTES_LOG_LEVEL", "SMART_NOTES__LOG__LEVEL"),
        ("SMARTNOTES_LOG__LEVEL", "SMART_NOTES__LOG__LEVEL"),
        ("smart_notes__log__level", "SMART_NOTES__LOG__LEVEL"),
        ("SMART_NOTES_SECRET_KEY", "SMART_NOTES__SECRET_KEY"),
    ] {
        let settings = load(&place.options().with_variable(written, "debug"));

        let told = format!("environment variable {written} is not read. Did you mean `{meant}`?");
        assert_eq!(settings.warnings(), [told]);
        assert_eq!(settings.log.level, "info");
    }
}

#[test]
fn a_former_name_of_a_key_still_sets_it_and_gives_a_warning() {
    let place = Place::new();
    let file = place.write("settings.toml", "[limits]\nlive_attempts_per_address = 7\n");
    let variable = "SMART_NOTES__LIMITS__LIVE_ATTEMPTS_PER_ADDRESS";

    let in_file = load(&place.options().with_config_file(&file));
    let in_variable = load(&place.options().with_variable(variable, "8"));

    let per_address = |settings: &Settings| settings.limits.pending_registrations_per_address;
    assert_eq!((per_address(&in_file), per_address(&in_variable)), (7, 8));
    assert_eq!(
        in_file.warnings(),
        [format!(
            "`limits.live_attempts_per_address` ({}) has a new name. \
             Write `limits.pending_registrations_per_address`",
            file.display()
        )]
    );
    assert_eq!(
        in_variable.warnings(),
        [format!(
            "`limits.live_attempts_per_address` (environment variable {variable}) has a new name. \
             Write `SMART_NOTES__LIMITS__PENDING_REGISTRATIONS_PER_ADDRESS`"
        )]
    );
}

#[test]
fn the_present_name_of_a_key_wins_over_its_former_one() {
    let place = Place::new();
    let file = place.write(
        "settings.toml",
        "[limits]\nlive_attempts_per_address = 7\npending_registrations_per_address = 3\n",
    );

    let settings = load(&place.options().with_config_file(file));

    assert_eq!(settings.limits.pending_registrations_per_address, 3);
    assert_eq!(settings.warnings().len(), 1);
}

#[test]
fn an_unknown_section_is_named_by_its_keys() {
    let place = Place::new();
    let file = place.write(
        "settings.toml",
        "[zebra]\nstripes = 5\n[lion]\n[otp.length]\nx = 1\n",
    );

    let error = Settings::load(&place.options().with_config_file(file)).unwrap_err();

    let keys: Vec<_> = error
        .problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(keys, ["lion", "otp.length.x", "zebra.stripes"]);
}

#[test]
fn a_section_given_as_one_value_is_refused() {
    let place = Place::new();
    let file = place.write("settings.toml", "http = 5\n");

    let refused = refused(&place.options().with_config_file(file));

    assert!(
        refused.contains("http (") && refused.contains("is a section"),
        "{refused}"
    );
}
