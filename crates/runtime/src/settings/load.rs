//! [`Settings::load`]: reads every source in order, then runs all checks.
//!
//! Separate from the modules it calls because this file alone decides which source wins.

use std::path::Path;

use figment::Provider as _;
use figment::providers::{Format as _, Toml};
use figment::value::Dict;

use super::check::Checks;
use super::defaults::variable_name;
use super::error::{Problem, SettingsError};
use super::layers::Layers;
use super::legacy_env::{self, LegacyEnv};
use super::options::LoadOptions;
use super::reader::read;
use super::source::Source;
use super::{Env, Settings, dotenv, explain, production, renamed, secret_keys};

/// The layers, problems and warnings collected so far.
struct Loading {
    layers: Layers,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Settings {
    /// Reads and checks the settings. In development it may create the key file next to the
    /// database, unless the options are [`inspect_only`](LoadOptions::inspect_only). It writes
    /// nothing else.
    ///
    /// # Errors
    ///
    /// Every problem that was found, each with its key, its source and its fix.
    pub fn load(options: &LoadOptions) -> Result<Self, SettingsError> {
        let mut loading = Loading {
            layers: Layers::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        let legacy_env = loading.gather(options);
        let Loading {
            mut layers,
            mut problems,
            warnings,
        } = loading;

        let env = read::<Env>("env", &mut layers, &mut problems).unwrap_or(Env::Development);
        legacy_env.apply_port(env, &mut layers, &mut problems);
        legacy_env.apply_email_host(&mut layers, &mut problems);
        let sender_is_set = layers.text("smtp.from").is_none_or(|from| !from.is_empty());

        let mut missing = Vec::new();
        let settings = assemble(env, &mut layers, &mut problems);
        if let Some(settings) = &settings {
            let mut checks = Checks::new(&layers, &mut problems, &mut missing);
            settings.check(&mut checks);
            if env == Env::Production {
                production::check(settings, sender_is_set, &mut checks);
            }
        }
        match (settings, problems) {
            (Some(mut settings), mut problems) => {
                settings.sources = explain::sources(&layers);
                settings.warnings = warnings;
                let resolved = secret_keys::resolve(
                    &mut settings,
                    options.inspect_only,
                    &mut layers,
                    &mut problems,
                );
                missing.extend(resolved.err());
                if options.inspect_only {
                    settings.missing = missing;
                } else {
                    problems.extend(missing.into_iter().map(Problem::from));
                }
                if problems.is_empty() {
                    Ok(settings)
                } else {
                    Err(unusable(problems))
                }
            }
            (None, problems) => Err(unusable(problems)),
        }
    }

    fn check(&self, checks: &mut Checks<'_>) {
        self.http.check(checks);
        self.database.check(&self.http, checks);
        self.smtp.check(checks);
        self.otp.check(checks);
        self.accounts.check(checks);
        self.notes.check(checks);
        self.payments.check(checks);
        self.limits.check(checks);
        self.worker.check(checks);
        self.log.check(checks);
    }
}

/// Reads every section; `None` only if the defaults are invalid.
fn assemble(env: Env, layers: &mut Layers, problems: &mut Vec<Problem>) -> Option<Settings> {
    let mut section = Sections { layers, problems };
    let (http, database, smtp) = (
        section.read("http"),
        section.read("database"),
        section.read("smtp"),
    );
    let (otp, accounts, limits) = (
        section.read("otp"),
        section.read("accounts"),
        section.read("limits"),
    );
    let (notes, payments) = (section.read("notes"), section.read("payments"));
    let (worker, log) = (section.read("worker"), section.read("log"));
    Some(Settings {
        env,
        secret_keys: secret_keys::SecretKeys::unresolved(),
        http: http?,
        database: database?,
        smtp: smtp?,
        otp: otp?,
        accounts: accounts?,
        notes: notes?,
        payments: payments?,
        limits: limits?,
        worker: worker?,
        log: log?,
        sources: std::collections::BTreeMap::new(),
        missing: Vec::new(),
        warnings: Vec::new(),
    })
}

struct Sections<'a> {
    layers: &'a mut Layers,
    problems: &'a mut Vec<Problem>,
}

fn unusable(mut problems: Vec<Problem>) -> SettingsError {
    dotenv::name_lines(&mut problems);
    SettingsError { problems }
}

impl Sections<'_> {
    fn read<T: serde::de::DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        read(name, self.layers, self.problems)
    }
}

impl Loading {
    /// Adds all sources, lowest first. Returns the unprefixed variables that are applied later.
    fn gather(&mut self, options: &LoadOptions) -> LegacyEnv {
        if let Some(file) = &options.config_file {
            self.add_config_file(file);
        }

        let dotenv_file = options.env_file.as_deref().or(options.dotenv.as_deref());
        let must_exist = options.env_file.is_some();
        let in_dotenv = dotenv_file.map(|file| dotenv::read(file, must_exist, &mut self.problems));
        let from_dotenv = |name: &str| Source::Dotenv {
            file: dotenv_file.unwrap_or(Path::new(".env")).to_owned(),
            variable: name.to_owned(),
        };
        let in_dotenv = in_dotenv.unwrap_or_default();
        let in_env = self.environment(options);

        let mut bare = LegacyEnv::default();
        for (name, value) in &in_dotenv {
            self.warn_of_misspelt(name, &from_dotenv(name));
            bare.take(name, value, from_dotenv(name));
        }
        for (name, value) in &in_env {
            bare.take(name, value, Source::Environment(name.clone()));
        }
        bare.translate(
            |source| matches!(source, Source::Dotenv { .. }),
            &mut self.layers,
        );
        self.add_variables(&in_dotenv, from_dotenv);
        bare.translate(
            |source| matches!(source, Source::Environment(_)),
            &mut self.layers,
        );
        self.add_variables(&in_env, |name| Source::Environment(name.to_owned()));

        for (key, value) in &options.overrides {
            let nested = figment::util::nest(key, value.as_str().into());
            self.add(&Source::Flag, nested.into_dict().unwrap_or_default());
        }
        bare
    }

    fn add_config_file(&mut self, file: &Path) {
        let source = Source::File(file.to_owned());
        let parsed = std::fs::read_to_string(file)
            .map_err(|error| error.to_string())
            .and_then(|text| {
                Toml::string(&text)
                    .data()
                    .map_err(|error| error.to_string())
            });
        match parsed {
            Ok(mut profiles) => {
                let values = profiles
                    .remove(&figment::Profile::Default)
                    .unwrap_or_default();
                self.add(&source, values);
            }
            Err(error) => {
                let message = format!(
                    "can't be read: {}. Fix the file or pass another one",
                    error.trim()
                );
                self.problems.push(Problem {
                    key: "--config".into(),
                    source: Some(source),
                    message,
                });
            }
        }
    }

    /// The environment variables of this program. A value that is not Unicode is reported.
    fn environment(&mut self, options: &LoadOptions) -> Vec<(String, String)> {
        let mut ours = Vec::new();
        for (name, value) in &options.env {
            let Some(name) = name.to_str() else { continue };
            self.warn_of_misspelt(name, &Source::Environment(name.to_owned()));
            if !name.starts_with(super::defaults::VARIABLE_PREFIX)
                && !legacy_env::NAMES.contains(&name)
            {
                continue;
            }
            match value.to_str() {
                Some(value) => ours.push((name.to_owned(), value.to_owned())),
                None => self.problems.push(Problem {
                    key: name.to_owned(),
                    source: Some(Source::Environment(name.to_owned())),
                    message: "is not valid UTF-8. Set it to UTF-8 text".into(),
                }),
            }
        }
        ours
    }

    /// Warns about an unread variable whose name differs from a known one only in underscores or
    /// case.
    fn warn_of_misspelt(&mut self, name: &str, source: &Source) {
        let ours = name.starts_with(super::defaults::VARIABLE_PREFIX);
        if let Some(meant) = self.layers.defaults.meant(name).filter(|_| !ours) {
            self.warnings
                .push(format!("{source} is not read. Did you mean `{meant}`?"));
        }
    }

    fn add_variables(&mut self, variables: &[(String, String)], source: impl Fn(&str) -> Source) {
        for (name, value) in variables {
            if let Some((_, values)) = legacy_env::prefixed(name, value) {
                self.add(&source(name), values);
            }
        }
    }

    /// Adds a layer. Reports unknown keys, each with the nearest known one, and warns about former names.
    fn add(&mut self, source: &Source, mut values: Dict) {
        let spelt = |key: &str| {
            if source.is_variable() {
                variable_name(key)
            } else {
                key.to_owned()
            }
        };
        for renamed in renamed::rename(&mut values) {
            self.warnings.push(format!(
                "`{}` ({source}) has a new name. Write `{}`",
                renamed.former(),
                spelt(&renamed.key())
            ));
        }
        for key in self.layers.add(source.clone(), values) {
            let message = match self.layers.defaults.nearest(&key) {
                _ if self.layers.defaults.is_section(&key) => {
                    format!(
                        "is a section, not a setting. Set one of its keys, like `{}`",
                        spelt(&format!("{key}.…"))
                    )
                }
                Some(near) => format!("unknown key. Did you mean `{}`?", spelt(near)),
                None => "unknown key. Remove it; config/default.toml lists all keys".to_owned(),
            };
            self.problems.push(Problem {
                key,
                source: Some(source.clone()),
                message,
            });
        }
    }
}
