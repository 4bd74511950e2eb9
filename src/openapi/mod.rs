//! The description of the API (`OpenAPI` 3.1): the parts that all operations share.
//!
//! Each operation is described beside its handler, which [`crate::route`] serves and describes
//! together. This module adds the responses that any request may get, the headers of every
//! response, and the general text. [`crate::docs`] serves the result, and `smart-notes openapi`
//! prints it.

pub mod answers;
mod codes;
pub mod notes;
pub mod requests;
pub mod values;

use domain::password::LengthRule;
use runtime::settings::Settings;
use serde_json::Value;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr, Schema,
};

use crate::route::Routes;
use crate::state::Policies;

/// The accepted content types of a body. Only JSON is described: from three types, client
/// generators make three parameters, or code that does not run.
pub const BODIES: [&str; 3] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
];

/// The two schemes of a token; both are accepted.
pub const SCHEMES: [&str; 2] = ["Token", "Bearer"];

/// Operations that never use the database.
const WITHOUT_DATABASE: [&str; 3] = ["getLiveness", "getDescription", "getPage"];

/// Operations with a signed body: only JSON, whatever its media type.
const SIGNED: [&str; 2] = ["takeStripeEvent", "takeRevenueCatEvent"];

const ABOUT: &str = "Accounts confirmed by one-time codes in mail, and notes.

Every path under `/api/` that ends in a slash is answered without it as well. Bodies are described as JSON; \
urlencoded and multipart forms with the same fields are taken, too, where every value is a text and a list is its name \
repeated. Fields that are not named here are ignored, a number that stands for a text is read as it is \
written, and the last of several values of one name counts. Every route answers `OPTIONS`, and other \
methods than those described with 405.

A word that an answer has from a list (a `code`, a `plan`, a `status`) may be another in a later version: clients \
take an unknown one as they take an unknown error.

A body with `error` or `detail` carries a stable `code` beside it. `X-Request-Id` names the request in the \
server's records. Answers under `/api/auth/` may not be stored.";

const TAGS: [(&str, &str); 7] = [
    (
        "Registration",
        "An account for a mail address, confirmed by a code.",
    ),
    ("Sessions", "Login and logout."),
    (
        "Account",
        "Credentials, sessions and personal data of the user.",
    ),
    (
        "Notes",
        "Notes, their trash, and synchronisation of devices.",
    ),
    (
        "Payments",
        "Events of payment services, authenticated by a secret.",
    ),
    ("Health", "Liveness and readiness."),
    ("Description", "This description."),
];

/// Completes the description of these routes, for a server with this password rule.
///
/// # Panics
///
/// Never: the description is plain data, which always serialises to JSON.
#[must_use]
pub fn finished(mut openapi: OpenApi, passwords: LengthRule) -> Value {
    for item in openapi.paths.paths.values_mut() {
        operations(item).for_each(finish);
    }
    values::set_lengths(&mut openapi, passwords);
    let description = frame().merge_from(openapi);
    serde_json::to_value(description).expect("a description is plain data")
}

/// The description of a server with these settings.
#[must_use]
pub fn document(settings: &Settings) -> Value {
    let rules = Policies::of(settings);
    let routes: Routes = crate::routes(rules.features);
    finished(routes.into_openapi(), rules.password)
}

/// Every operation of a path.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

/// Adds the shared parts to an operation.
fn finish(operation: &mut Operation) {
    let mut shared = vec!["405", "414", "429", "431", "500"];
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let has_body = operation.request_body.is_some();
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        shared.extend(["400", "408", "413", "501"]);
        never_null(body);
        if !SIGNED.contains(&id) {
            shared.push("415");
        }
    }
    match operation.security {
        Some(_) => shared.push("401"),
        // Stated explicitly, because some generators assume that an operation without it needs a
        // token.
        None => operation.security = Some(Vec::new()),
    }
    if !WITHOUT_DATABASE.contains(&id) {
        shared.extend(["503", "507"]);
    }
    let answers = &mut operation.responses.responses;
    for status in shared {
        if let Some(shared) = answers::reference(status) {
            answers.entry(status.to_owned()).or_insert(shared);
        }
    }
    for (status, answer) in answers {
        if let RefOr::T(answer) = answer {
            answers::complete(status, answer, has_body);
        }
    }
}

/// Fixes an optional body, which utoipa describes as nullable.
fn never_null(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        if let RefOr::T(content) = content
            && let Some(RefOr::T(Schema::OneOf(either))) = &content.schema
        {
            content.schema = either.items.first().cloned();
        }
    }
}

/// The description without its paths.
fn frame() -> OpenApi {
    let token = ApiKeyValue::with_description(
        "Authorization",
        "`Token` and the session token from login: `Token 0123…cdef`.",
    );
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The same token with the usual scheme."))
        .build();
    let [token_name, bearer_name] = SCHEMES;
    let components = answers::components(ComponentsBuilder::new())
        .security_scheme(token_name, SecurityScheme::ApiKey(ApiKey::Header(token)))
        .security_scheme(bearer_name, SecurityScheme::Http(bearer));
    let info = InfoBuilder::new()
        .title("Smart Notes")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(
            LicenseBuilder::new()
                .name("MIT OR Apache-2.0")
                .identifier(Some("MIT OR Apache-2.0"))
                .build(),
        ));
    let tags = TAGS.map(|(name, about)| {
        TagBuilder::new()
            .name(name)
            .description(Some(about))
            .build()
    });
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components.build()))
        .tags(Some(tags))
        .build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::route::Features;

    /// Every route there is, or the least.
    fn features(on: bool) -> Features {
        Features {
            otp_login: on,
            stripe: on,
            revenuecat: on,
        }
    }

    fn document(on: bool) -> Value {
        finished(
            crate::routes(features(on)).into_openapi(),
            LengthRule::default(),
        )
    }

    /// The paths that a router serves, which it tells in its debug form only: `RouteId(7): "/api/…"`.
    fn served(routes: &axum::Router<crate::AppState>) -> BTreeSet<String> {
        let shown = format!("{routes:?}");
        let (shown, _fallback) = shown.split_once("fallback_router").unwrap();
        let paths = shown.split("RouteId(").filter_map(|entry| {
            let (id, path) = entry.split_once("): \"")?;
            let path = path.split('"').next()?;
            id.parse::<u32>().is_ok().then(|| path.to_owned())
        });
        paths.collect()
    }

    fn described(openapi: &OpenApi) -> BTreeSet<String> {
        let paths = openapi.paths.paths.keys();
        paths
            .flat_map(|path| [path.as_str(), path.strip_suffix('/').unwrap_or(path)])
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn what_is_served_is_described_and_what_is_described_is_served() {
        for on in [false, true] {
            let (routes, openapi) = crate::routes(features(on)).split_for_parts();

            let served = served(&routes);

            assert!(served.len() > 30, "{served:?}");
            assert_eq!(served, described(&openapi));
        }
    }

    #[test]
    fn what_can_be_switched_off_is_described_only_where_it_is_on() {
        for path in [
            "/api/auth/otp-login-request/",
            "/api/webhooks/stripe/",
            "/api/webhooks/revenuecat/",
        ] {
            assert!(document(false)["paths"].get(path).is_none(), "{path}");
            assert!(document(true)["paths"].get(path).is_some(), "{path}");
        }
    }

    /// Forms could not be signed: nobody sends events as one.
    #[test]
    fn an_event_is_described_as_json_alone() {
        let document = document(true);

        let event = &document["paths"]["/api/webhooks/stripe/"]["post"];

        let forms = event["requestBody"]["content"].as_object().unwrap();
        assert_eq!(forms.keys().collect::<Vec<_>>(), ["application/json"]);
        assert!(event["responses"].get("415").is_none());
    }

    /// Every operation has words, a name of its own and a tag that the description knows.
    #[test]
    fn every_operation_is_described_in_full() {
        let document = document(true);
        let tags: BTreeSet<&str> = TAGS.iter().map(|(name, _)| *name).collect();
        let mut ids = BTreeSet::new();
        let paths = document["paths"].as_object().unwrap();
        for (path, item) in paths {
            for (method, operation) in item.as_object().unwrap() {
                let named = format!("{method} {path}");
                let word = |key: &str| operation[key].as_str().unwrap_or_default();
                assert!(ids.insert(word("operationId").to_owned()), "{named}");
                assert!(!word("summary").is_empty(), "{named}");
                assert!(!word("description").is_empty(), "{named}");
                assert!(
                    tags.contains(operation["tags"][0].as_str().unwrap()),
                    "{named}"
                );
                let answers = operation["responses"].as_object().unwrap();
                let statuses = |class: char| answers.keys().any(|key| key.starts_with(class));
                assert!(statuses('2') && statuses('4'), "{named}");
                let closed = operation["security"] != json!([]);
                assert_eq!(closed, answers.contains_key("401"), "{named}");
            }
        }
    }

    /// A name that the components lack would be found by a client's generator first.
    #[test]
    fn every_reference_leads_somewhere() {
        fn look(value: &Value, document: &Value) {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(reference)) = fields.get("$ref") {
                        let target = document.pointer(reference.trim_start_matches('#'));
                        assert!(target.is_some(), "{reference}");
                    }
                    fields.values().for_each(|value| look(value, document));
                }
                Value::Array(items) => items.iter().for_each(|value| look(value, document)),
                _ => {}
            }
        }
        let document = document(true);

        look(&document, &document);
    }
}
