//! The web inbox: one page with its style and script, and the single mails that it shows.
//!
//! Separate from the API because only the page uses these. Script and style are separate files so
//! that the page's policy can forbid inline ones.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{Problem, Site};
use crate::mail::Mail;

const PAGE: &str = include_str!("../inbox.html");
const STYLE: &str = include_str!("../inbox.css");
const SCRIPT: &str = include_str!("../inbox.js");

/// Allows only the page's own files.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src data:; frame-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";
/// Allows styles and embedded images of a mail; forbids scripts, remote content, forms and
/// navigation.
const MAIL_POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; \
    img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/", get(page))
        .route(
            "/inbox.css",
            get(async || ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)),
        )
        .route(
            "/inbox.js",
            get(async || ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)),
        )
        .route("/mails/{id}/html", get(html))
        .route("/mails/{id}/text", get(text))
        .route("/mails/{id}/raw", get(raw))
}

async fn page(State(site): State<Site>) -> impl IntoResponse {
    // An address holds no character that HTML treats specially.
    let page = PAGE.replace("{smtp}", &site.smtp.to_string());
    (
        [(CONTENT_TYPE, HTML), (CONTENT_SECURITY_POLICY, PAGE_POLICY)],
        page,
    )
}

async fn html(State(site): State<Site>, Path(id): Path<String>) -> Result<Response, Problem> {
    let mail = find(&site, &id)?;
    let html = mail
        .html()
        .ok_or(Problem::NotFound("this mail has no HTML part"))?;
    let fields = [(CONTENT_TYPE, HTML), (CONTENT_SECURITY_POLICY, MAIL_POLICY)];
    Ok((fields, html.to_owned()).into_response())
}

async fn text(State(site): State<Site>, Path(id): Path<String>) -> Result<Response, Problem> {
    let mail = find(&site, &id)?;
    let text = mail.text().unwrap_or_default().to_owned();
    Ok(([(CONTENT_TYPE, TEXT)], text).into_response())
}

async fn raw(State(site): State<Site>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(([(CONTENT_TYPE, TEXT)], find(&site, &id)?.raw.clone()).into_response())
}

fn find(site: &Site, id: &str) -> Result<Arc<Mail>, Problem> {
    site.inbox.get(id).ok_or(Problem::NotFound("no such mail"))
}
