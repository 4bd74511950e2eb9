//! The part of Mailpit's HTTP API, version 1, that test clients use.
//!
//! Separate from the page because a client written for Mailpit reads these responses ([`dto`]) and
//! sends these queries ([`search`]). Unlike Mailpit, it refuses malformed input instead of ignoring
//! it.

mod dto;
mod search;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use self::dto::{Listing, Message};
use self::search::Search;
use super::{Problem, Site};
use crate::mail::Mail;

/// Mailpit's default page length.
const LIMIT: usize = 50;

#[derive(Deserialize)]
struct Paging {
    #[serde(default)]
    start: usize,
    limit: Option<usize>,
    query: Option<String>,
}

#[derive(Default, Deserialize)]
struct Deletion {
    #[serde(rename = "IDs", default)]
    ids: Vec<String>,
}

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/messages", get(list).delete(delete))
        .route("/message/{id}", get(show))
        .route("/search", get(find))
}

async fn list(
    State(site): State<Site>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<Listing>, Problem> {
    let paging = read(paging)?;
    let mails = newest_first(&site);
    Ok(Json(Listing::page(
        &mails,
        &mails,
        paging.start,
        paging.limit.unwrap_or(LIMIT),
    )))
}

async fn find(
    State(site): State<Site>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<Listing>, Problem> {
    let paging = read(paging)?;
    let search = Search::parse(paging.query.as_deref().unwrap_or_default())?;
    let mails = newest_first(&site);
    let found: Vec<_> = mails
        .iter()
        .filter(|mail| search.finds(mail))
        .cloned()
        .collect();
    Ok(Json(Listing::page(
        &mails,
        &found,
        paging.start,
        paging.limit.unwrap_or(LIMIT),
    )))
}

async fn show(State(site): State<Site>, Path(id): Path<String>) -> Result<Json<Message>, Problem> {
    let mail = match id.as_str() {
        "latest" => newest_first(&site).first().cloned(),
        id => site.inbox.get(id),
    };
    let mail = mail.ok_or(Problem::NotFound("no such message"))?;
    mail.mark_read();
    Ok(Json(Message::of(&mail)))
}

async fn delete(State(site): State<Site>, body: Bytes) -> Result<impl IntoResponse, Problem> {
    let deletion = if body.trim_ascii().is_empty() {
        Deletion::default()
    } else {
        serde_json::from_slice::<Deletion>(&body).map_err(|error| {
            Problem::Bad(format!(
                "the body must be empty or {{\"IDs\": [\"…\"]}}: {error}"
            ))
        })?
    };
    if deletion.ids.is_empty() {
        site.inbox.clear();
    } else {
        site.inbox.delete(deletion.ids);
    }
    Ok("ok")
}

fn newest_first(site: &Site) -> Vec<Arc<Mail>> {
    site.inbox.all().into_iter().rev().collect()
}

fn read(paging: Result<Query<Paging>, QueryRejection>) -> Result<Paging, Problem> {
    match paging {
        Ok(Query(paging)) => Ok(paging),
        Err(rejection) => Err(Problem::Bad(rejection.body_text())),
    }
}
